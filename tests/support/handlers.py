"""Tiny Lambda handlers, for the tests of the environments that run them."""

import os
import pathlib
import sys
import threading

state = {"calls": 0}
entered, released = threading.Event(), threading.Event()


def echo(event, _context):
    return event


def count(_event, _context):
    state["calls"] += 1
    return state["calls"]


def shout(event, _context):
    print(f"out {event}")  # noqa: T201 - what this handler is for
    print(f"err {event}", file=sys.stderr)  # noqa: T201 - what this handler is for


def fail(event, _context):
    raise ValueError(event)


def answer_a_set(_event, _context):
    return {1}


def describe(_event, context):
    return {
        "function_name": context.function_name,
        "function_version": context.function_version,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "invoked_function_arn": context.invoked_function_arn,
        "request_id_length": len(context.aws_request_id),
        "has_time": 0 < context.get_remaining_time_in_millis() <= 30_000,
    }


def environ(event, _context):
    return {name: os.environ.get(name) for name in event}


def process(_event, _context):
    return os.getpid()


def die(event, _context):
    os._exit(event)


def leads_its_group(_event, _context):
    return os.getpgrp() == os.getpid()


def hang(event, _context):
    """Write the process's id to a FIFO, then never end."""
    announce(event, _context)
    threading.Event().wait()


def process_or_hang(event, _context):
    """The process's id, if it is asked for; else no answer, ever."""
    return os.getpid() if event == "process" else threading.Event().wait()


def hang_for_a_message(event, _context):
    hang(event["Records"][0]["body"], _context)


def announce(event, _context):
    pathlib.Path(event).write_text(str(os.getpid()))


def hang_until_released(event, _context):
    entered.set()
    released.wait()
    return event
