"""Networks of finite width: training them, measuring them, and testing what the theory predicts.  Untrusted."""

from ntkproof.callable import calls

calls(__name__, "ntkproof.simulate.runs:simulate")
