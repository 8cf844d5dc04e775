"""What is shown to people: conclusions in words, tables, pictures."""
