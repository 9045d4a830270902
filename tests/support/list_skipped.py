"""Lists the skipped cases of a ctest JUnit report with the reason that each printed."""

import re
import sys
import xml.etree.ElementTree as ElementTree


def reason_of(case):
    """The text that GTEST_SKIP() printed, or what ctest says of the case."""
    output = case.findtext("system-out") or ""
    found = re.search(r"Skipped\n(.*?)\n(?:\[|$)", output, re.DOTALL)
    if found:
        return " ".join(found.group(1).split())
    skipped = case.find("skipped")
    return skipped.get("message", "no reason given") if skipped is not None else "disabled"


def main():
    cases = ElementTree.parse(sys.argv[1]).getroot().iter("testcase")
    skipped = [case for case in cases if case.get("status") in ("notrun", "disabled")]
    print(f"skipped: {len(skipped)}")
    for case in skipped:
        print(f"  {case.get('name')}: {reason_of(case)}")


if __name__ == "__main__":
    main()
