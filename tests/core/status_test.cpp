#include "core/status.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/result.h"

namespace xcloud {
namespace {

TEST(StatusTest, DefaultIsOk) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().ToString(), "ok");
}

TEST(StatusTest, NamesCodeAndCause) {
  EXPECT_EQ(Status::NotFound("no service named 'x'").ToString(), "not_found: no service named 'x'");
}

TEST(StatusTest, OverloadedSaysWhenToRetry) {
  EXPECT_EQ(Status::Overloaded("busy", std::chrono::milliseconds(250)).retry_after(),
            std::chrono::milliseconds(250));
  EXPECT_EQ(Status::Internal("x").retry_after(), std::chrono::milliseconds(0));
}

TEST(StatusTest, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  const int last = static_cast<int>(StatusCode::kInternal);
  for (int code = 0; code <= last; ++code) {
    names.emplace(StatusCodeName(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
  EXPECT_EQ(names.count("unknown"), 0U);
}

TEST(ResultTest, HoldsAValueOrTheReason) {
  Result<std::string> good = std::string("a");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, "a");
  Result<std::string> bad = Status::NotFound("b");
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), StatusCode::kNotFound);
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Result<int> bad = Status::NotFound("b");
  EXPECT_DEATH((void)bad.value(), "broken invariant");
}

}  // namespace
}  // namespace xcloud
