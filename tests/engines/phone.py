"""A connected phone, as coremltools describes one."""

from typing import Final

from coremltools.models.ml_program.experimental.remote_device import Device, DeviceState, DeviceType

UDID: Final = "00008110-0001"


def phone() -> Device:
    """In reach, in developer mode, without a session."""
    return Device(
        name="Somebody's phone",
        type=DeviceType.IPHONE,
        identifier="0A1B",
        udid=UDID,
        os_version="18.1",
        os_build_number="22B83",
        developer_mode_state="enabled",
        state=DeviceState.CONNECTED,
        session=None,
    )
