"""Measuring on an Android phone over the user's own adb: the protocol, the transport, the phone's state, the runs."""
