"""A transport that hears what paramiko passes over: that a signal has ended a process, and why a server hangs up.

Without the first, a process that is killed while something that it has started holds its outputs open would seem to
run on; without the second, a server that has had enough of wrong keys would seem to be gone.
"""

from __future__ import annotations

from paramiko import Channel, Message, Transport
from paramiko.common import MSG_CHANNEL_REQUEST


def _on_request(channel: Channel, message: Message) -> None:
    if message.get_text() == "exit-signal":
        channel.status_event.set()  # its exit status stays -1
        return
    message.rewind()
    message.get_int()  # the channel's number, which is known already
    channel._handle_request(message)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way in


class HearingTransport(Transport):
    """As paramiko's; a channel whose process was killed gives -1 as its exit status."""

    farewell = ""  # what the server has said as it ended the connection

    _channel_handler_table = {  # noqa: RUF012 - it is the class's in paramiko
        **Transport._channel_handler_table,  # type: ignore[attr-defined] # noqa: SLF001
        MSG_CHANNEL_REQUEST: _on_request,
    }

    def _parse_disconnect(self, message: Message) -> None:
        message.get_int()  # a number that says less
        self.farewell = message.get_text()
