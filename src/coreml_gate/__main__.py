"""``python -m coreml_gate`` is ``coreml-gate``."""

import sys

from coreml_gate.cli import main

sys.exit(main())
