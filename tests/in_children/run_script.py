"""Runs the script that the first argument names as the main program of a forked child."""

import runpy
import sys

del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
