"""Speed and memory beside other libraries: `make bench`, then read benchmarks/README.md."""
