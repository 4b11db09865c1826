"""coremltools' own ``MLModel.predict`` on Linux: our MIL runtime in the place of Core ML's native half.

::

    from coreml_gate import stand_in

    stand_in.install()                                   # before or after `import coremltools`
    coremltools.models.MLModel("net.mlpackage").predict({"x": array})

coremltools' Python runs unchanged and no file of it is edited; on a Mac nothing is replaced.
"""

from coreml_gate.stand_in.installation import NAME, install, is_installed, uninstall

__all__ = ["NAME", "install", "is_installed", "uninstall"]
