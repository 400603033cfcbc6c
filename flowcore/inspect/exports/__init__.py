"""Runs in the formats of other programs: Chrome traces, WfCommons' WfFormat, Workflow Run RO-Crate."""
