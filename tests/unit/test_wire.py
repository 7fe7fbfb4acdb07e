"""Frames over a socket: whole or not at all, in time or not at all."""

import mmap
import os
import socket
import struct
import threading

import pytest

from sandbox.wire import Channel, Deadline, WireClosed, WireTimeout, WireViolation

CAP = 4 << 20


@pytest.fixture
def ends():
    near, far = socket.socketpair()
    with near, far:
        yield Channel(near, CAP), far


def frame(content):
    return struct.pack("<Q", len(content)) + content


@pytest.mark.parametrize("size", [0, 1, 1000, (1 << 20) + 7, CAP])
def test_a_frame_arrives_as_it_was_sent(ends, size):
    channel, far = ends
    other = Channel(far, CAP)
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sender = threading.Thread(target=other.send, args=([content[:7], b"", content[7:]], Deadline(20)))
    sender.start()
    assert channel.receive(Deadline(20)) == content
    sender.join()


def test_what_was_received_can_be_written_to(ends):
    channel, far = ends
    far.sendall(frame(b"abc"))
    view = channel.receive(Deadline(5))
    view[0] = ord("x")
    assert bytes(view) == b"xbc"


def test_frames_that_arrive_together_are_told_apart(ends):
    channel, far = ends
    far.sendall(frame(b"one") + frame(b"two"))
    assert [bytes(channel.receive(Deadline(5))) for _ in range(2)] == [b"one", b"two"]


@pytest.mark.parametrize("size", [CAP + 1, 1 << 62, (1 << 64) - 1])
def test_a_length_beyond_the_cap_is_a_violation_before_anything_is_read(ends, size):
    channel, far = ends
    far.sendall(struct.pack("<Q", size))
    with pytest.raises(WireViolation, match=str(size)):
        channel.receive(Deadline(5))


def test_no_room_for_a_frame_is_a_lack_of_memory(ends, monkeypatch):
    channel, far = ends
    monkeypatch.setattr(mmap, "mmap", lambda *_: os.stat("/nonexistent"))
    far.sendall(struct.pack("<Q", CAP))
    with pytest.raises(MemoryError, match=str(CAP)):
        channel.receive(Deadline(5))


def test_a_frame_beyond_the_cap_is_not_sent(ends):
    channel, far = ends
    far.setblocking(False)
    with pytest.raises(WireViolation):
        channel.send([bytes(CAP), b"x"], Deadline(5))
    with pytest.raises(BlockingIOError):
        far.recv(1)


@pytest.mark.parametrize("sent", [b"", b"\x05", struct.pack("<Q", 9), frame(b"whole")[:-1]])
def test_an_end_within_a_frame_is_an_end(ends, sent):
    channel, far = ends
    far.sendall(sent)
    far.close()
    with pytest.raises(WireClosed):
        channel.receive(Deadline(5))


def test_sending_to_nobody_is_an_end(ends):
    channel, far = ends
    far.close()
    with pytest.raises(WireClosed):
        channel.send([b"x"], Deadline(5))


@pytest.mark.parametrize("sent", [b"", b"\x05\x00", frame(b"whole")[:-1]])
def test_silence_runs_into_the_deadline(ends, sent):
    channel, far = ends
    far.sendall(sent)
    with pytest.raises(WireTimeout):
        channel.receive(Deadline(0.05))


def test_a_slow_drip_runs_into_the_deadline(ends):
    channel, far = ends
    far.sendall(struct.pack("<Q", 1 << 20))
    done = threading.Event()

    def drip():
        while not done.wait(0.005):
            far.send(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    with pytest.raises(WireTimeout):
        channel.receive(Deadline(0.2))
    done.set()
    dripping.join()


def test_a_reader_that_never_reads_runs_into_the_deadline(ends):
    channel, _ = ends
    with pytest.raises(WireTimeout):
        channel.send([bytes(CAP)], Deadline(0.05))


def test_a_deadline_is_extended_by_what_is_granted_until_nothing_is():
    granted = [60.0, 0.0]
    deadline = Deadline(0.0, lambda: granted.pop(0))
    assert 50 < deadline.left() <= 60
    with pytest.raises(WireTimeout):
        Deadline(0.0, lambda: granted.pop(0)).left()
    assert not granted


def test_what_nobody_asked_for_is_noticed(ends):
    channel, far = ends
    assert not channel.unread()
    far.send(b"x")
    assert channel.unread()


def test_a_closed_far_end_counts_as_unread(ends):
    channel, far = ends
    far.close()
    assert channel.unread()
