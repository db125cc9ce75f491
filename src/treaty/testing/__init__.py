"""The public test kit: conformance suites that every connector passes, ours and yours.

    from treaty.testing import SourceSuite

    class TestMySource(SourceSuite):
        @pytest.fixture
        def subject(self, tmp_path):
            return MySubject(tmp_path)      # a SourceSubject: how to open the source and how to put records into the system
"""

from treaty.testing.sinks import SinkSubject, SinkSuite
from treaty.testing.sources import SourceSubject, SourceSuite

__all__ = ["SinkSubject", "SinkSuite", "SourceSubject", "SourceSuite"]
