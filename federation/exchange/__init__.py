"""The exchanges of the protocol as state machines without IO.

Each module is one role's side: it takes the messages and the facts that a node has looked up,
and returns what to store, log and send, or raises a Refusal. Randomness and time are arguments
or come from the operating system's generator; nothing here reads a clock, a file or a socket.
"""
