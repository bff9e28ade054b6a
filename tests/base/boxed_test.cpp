#include "base/boxed.hpp"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Boxed, IsEmptyUntilItIsGivenAValue) {
  Boxed<std::string> box;
  EXPECT_FALSE(box);
  EXPECT_FALSE(Boxed<std::string>(std::nullopt).has_value());
  box = std::string("value");
  ASSERT_TRUE(box);
  EXPECT_EQ(*box, "value");
  EXPECT_EQ(box->size(), 5U);
}

TEST(Boxed, ACopyIsAValueOfItsOwn) {
  Boxed<std::string> first = std::string("first");
  Boxed<std::string> second = first;
  *second = "second";
  EXPECT_EQ(*first, "first");
  first = second;
  EXPECT_EQ(*first, "second");
  EXPECT_NE(&*first, &*second);
  first = Boxed<std::string>();
  EXPECT_FALSE(Boxed<std::string>(first)) << "a copy of nothing";
}

TEST(Boxed, IsEqualByValue) {
  const Boxed<std::string> empty;
  const Boxed<std::string> first(std::string("first"));
  EXPECT_FALSE(empty == first);
  EXPECT_TRUE(first == Boxed<std::string>(std::string("first")));
  EXPECT_FALSE(first == Boxed<std::string>(std::string("second")));
}

TEST(Boxed, TakesAnOptionalValue) {
  std::optional<int> given;
  EXPECT_FALSE(Boxed<int>(given));
  given = 7;
  const Boxed<int> box = given;
  ASSERT_TRUE(box);
  EXPECT_EQ(*box, 7);
}

TEST(Boxed, MovesWithoutCopying) {
  Boxed<std::string> first = std::string("there");
  const std::string* place = &*first;
  Boxed<std::string> second = std::move(first);
  EXPECT_EQ(&*second, place);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): empty, and that is promised
}

static_assert(sizeof(Boxed<std::string>) == sizeof(void*));

}  // namespace
}  // namespace parley
