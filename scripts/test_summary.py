#!/usr/bin/env python3
"""Reads ctest's JUnit report and prints the closing line `N passed, N failed` over single test cases.

A GoogleTest program and a program that ends with `N passed, N failed` count with the cases that they report, any other test as one.
Usage: test_summary.py REPORT.xml
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed\s*$", re.MULTILINE)
GTEST_PASSED = re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.MULTILINE)
GTEST_FAILED = re.compile(r"^\[  FAILED  \] (\d+) tests?, listed below", re.MULTILINE)
GTEST_SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) tests?, listed below", re.MULTILINE)


def count(case):
    """(passed, failed, skipped) of one ctest entry."""
    status = case.get("status")
    if status in ("notrun", "disabled"):
        return 0, 0, 1
    output = case.findtext("system-out") or ""
    summaries = SUMMARY.findall(output)
    passed = sum(int(n) for n in GTEST_PASSED.findall(output))
    failed = sum(int(n) for n in GTEST_FAILED.findall(output))
    skipped = sum(int(n) for n in GTEST_SKIPPED.findall(output))
    if not passed and not failed and not skipped and summaries:
        passed, failed = (int(n) for n in summaries[-1])
    if status == "fail":
        failed = max(failed, 1)
    elif not passed and not skipped:
        passed = 1
    return passed, failed, skipped


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    cases = ElementTree.parse(sys.argv[1]).getroot().findall("testcase")
    counted = [(case, count(case)) for case in cases]
    slowest = sorted(cases, key=lambda case: -float(case.get("time") or 0))[:5]
    print("slowest: " + ", ".join(f"{case.get('name')} {float(case.get('time') or 0):.1f} s" for case in slowest))
    for case, (_, failed, skipped) in counted:
        if failed:
            print(f"failed: {case.get('name')}")
        elif skipped:
            print(f"skipped: {skipped} in {case.get('name')}")
    totals = [sum(values) for values in zip(*(values for _, values in counted))] or [0, 0, 0]
    skipped = f", {totals[2]} skipped" if totals[2] else ""
    if skipped:
        print(f"{len(cases)} programs{skipped}")
    print(f"{totals[0]} passed, {totals[1]} failed")


if __name__ == "__main__":
    main()
