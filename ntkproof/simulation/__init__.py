"""Networks of finite width: training them, measuring them, and testing what the theory predicts.  Untrusted."""
