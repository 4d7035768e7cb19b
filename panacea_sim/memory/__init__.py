"""The memory behind the channels: devices, their timing, who goes first, and a channel driven alone."""
