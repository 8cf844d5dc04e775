"""``python -m ntkproof``."""

from ntkproof.commands.main import main

if __name__ == "__main__":
    main()
