"""Runs a command whose standard error, and optionally standard output, is not writable.

  broken_log.py KIND FDS COMMAND...   FDS: descriptors, such as 2 or 12

KIND is full-device, closed-pipe, stopped-pipe, closed-socket, stopped-socket, closed-terminal, stopped-terminal, or the
path of a file to append to. `stopped` is a reader that keeps its end open and reads nothing; the buffer between is full from
the start. The command is executed in this process, so its exit code and its signals are its own.

  broken_log.py lost-terminal 012 COMMAND...

starts the command on its own terminal, copies its output, and closes the terminal on SIGUSR1.
"""

import fcntl
import os
import pty
import signal
import socket
import sys
import termios
import tty


def fill(fd):
    os.set_blocking(fd, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(fd, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(fd, True)


def ends(kind):
    """Reading and writing descriptor."""
    if kind.endswith("pipe"):
        return os.pipe()
    if kind.endswith("socket"):
        reader, writer = socket.socketpair()
        return reader.detach(), writer.detach()
    reader, writer = pty.openpty()
    tty.setraw(writer)
    return reader, writer


def broken(kind):
    if kind == "full-device":
        return os.open("/dev/full", os.O_WRONLY)
    if kind.startswith("/"):
        return os.open(kind, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    reader, writer = ends(kind)
    if kind.startswith("closed"):
        os.close(reader)
    else:
        fill(writer)
        os.set_inheritable(reader, True)
    return writer


def on_terminal(command):
    reader, writer = pty.openpty()
    tty.setraw(writer)
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        fcntl.ioctl(writer, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(writer, fd)
        os.execvp(command[0], command)
    os.close(writer)
    is_open = True

    def close_terminal(*_):
        nonlocal is_open
        is_open = False
        os.close(reader)

    signal.signal(signal.SIGUSR1, close_terminal)
    while is_open:
        try:
            os.write(1, os.read(reader, 4096))
        except OSError:
            break
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status) % 256)


kind, fds, *command = sys.argv[1:]
if kind == "lost-terminal":
    on_terminal(command)
writer = broken(kind)
for fd in fds:
    os.dup2(writer, int(fd))
os.execvp(command[0], command)
