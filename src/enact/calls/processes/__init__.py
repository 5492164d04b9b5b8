# SPDX-License-Identifier: Apache-2.0
"""Calls made in child processes of tracked calls are recorded under them.

A process, or an item of work for a pool of them, is a lane of the frame that started
it, as a thread is. Its calls run there; the frame is here. So each call that the lane
makes is a conversation: the child tells what is called, is told whether to run it or
to take a recorded outcome, and tells what came of it. What is called below runs,
records and replays in the child as anywhere, and its blocks and rows come through the
same connection.

``hooks.py`` sends the work, ``work.py`` runs it in the child. ``channel.py`` is the
connection, ``messages.py`` what is told, ``home.py`` the end where the frame is,
``away.py`` the other one, ``backend.py`` the store as it is seen from there.
"""
