"""Ways to carry cells out, one a room; each satisfies `protocol.Executor`."""
