"""What `yinxin model selftest` runs: a module a part, each with `run` that returns its figures."""
