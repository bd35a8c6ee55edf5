"""Reads OpenMetrics from stdin by the rules of the standard, and prints the names of its families."""

import sys

from prometheus_client.openmetrics.parser import text_fd_to_metric_families

for family in text_fd_to_metric_families(sys.stdin):
    print(family.type, family.name)
