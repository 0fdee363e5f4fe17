import os

pytest_plugins = ["pytester"]

# On GitHub what is printed is fenced; the tests that look at that set it themselves.
os.environ.pop("GITHUB_ACTIONS", None)
