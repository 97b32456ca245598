"""Counters in Valkey, or Redis from version 7 on: one server, or a gateway that looks like one."""
