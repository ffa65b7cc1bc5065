"""Benchmarks: the official SDK and aiorerun, side by side in one run.

``python -m benchmarks`` runs every workload in a process of its own, both SDKs in turn (A B, B A, A B …),
and prints medians. The modules:

- ``workloads``: what is measured, in which size, and the goal;
- ``data``: the values that are logged, the same ones for every SDK;
- ``sdk_*``: one file per SDK, one small function per workload;
- ``child``: the process of one run, which measures itself;
- ``runner``: starts the processes and collects figures;
- ``seen``, ``seen_child``: how long it takes until a reader sees what was logged;
- ``transport``: what sending and reading gRPC messages costs, beside grpclib;
- ``report``, ``live_report``: the printed tables, and those in the README.
"""
