"""What a driver can raise; each error is also a builtin kind.

DriverError
├── ProtocolError (ValueError)       bytes that are not a valid message
├── BusTimeout    (TimeoutError)     a device did not answer before the deadline
├── DeviceError   (RuntimeError)     a device answered that it refuses
└── WireClosed    (ConnectionError)  the port is gone (unplugged, or closed by us)
"""


class DriverError(Exception):
    """Base of every error a driver raises on purpose."""


class ProtocolError(DriverError, ValueError):
    """Bytes that are not a valid message of the protocol."""


class BusTimeout(DriverError, TimeoutError):
    """A device did not answer before the deadline."""


class DeviceError(DriverError, RuntimeError):
    """A device answered that it refuses, or is not the device that was expected."""


class WireClosed(DriverError, ConnectionError):
    """The port is gone."""
