#include "services/providers/event_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TextEvents, AreFieldsUpToAnEmptyLine) {
  EXPECT_THAT(text_events("event: a\ndata: 1\n\ndata: 2\n\n"),
              ElementsAre(TextEvent{"a", "1"}, TextEvent{"", "2"}));
  EXPECT_THAT(text_events("data: 1\ndata: 2\n\n"), ElementsAre(TextEvent{"", "1\n2"}));
  EXPECT_THAT(text_events("data:1\n\ndata:  2\n\n"),
              ElementsAre(TextEvent{"", "1"}, TextEvent{"", " 2"}));
}

TEST(TextEvents, EndTheirLinesInAnyWay) {
  EXPECT_THAT(text_events("data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n"),
              ElementsAre(TextEvent{"", "1"}, TextEvent{"", "2"}, TextEvent{"", "3"}));
}

TEST(TextEvents, LeaveOutCommentsAndWhatHasNoData) {
  EXPECT_THAT(text_events(": PROCESSING\n\nevent: ping\n\nid: 7\nretry: 10\n\n"), IsEmpty());
  EXPECT_THAT(text_events(""), IsEmpty());
}

TEST(TextEvents, CountOneThatIsBrokenOff) {
  EXPECT_THAT(text_events("data: 1\n\ndata: 2"),
              ElementsAre(TextEvent{"", "1"}, TextEvent{"", "2"}));
}

TEST(TextEvents, MayBeLinesOfJson) {
  EXPECT_THAT(text_events("{\"a\":1}\n{\"a\":2}\n"),
              ElementsAre(TextEvent{"", "{\"a\":1}"}, TextEvent{"", "{\"a\":2}"}));
}

TEST(TextEvents, AreReadUpToAsManyAsAreWanted) {
  EXPECT_THAT(text_events("data: 1\n\ndata: 2\n\ndata: 3", 2),
              ElementsAre(TextEvent{"", "1"}, TextEvent{"", "2"}));
}

TEST(TextEvents, BeginBehindAByteOrderMark) {
  EXPECT_THAT(text_events("\xEF\xBB\xBF"
                          "data: 1\n\n"),
              ElementsAre(TextEvent{"", "1"}));
}

}  // namespace
}  // namespace parley
