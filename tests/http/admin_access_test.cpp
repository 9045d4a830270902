// Who may use /admin.
#include "http/admin_access.h"

#include <gtest/gtest.h>

namespace xcloud {
namespace {

AdminCaller Local() {
  AdminCaller caller;
  caller.on_loopback = true;
  caller.host = "127.0.0.1:8080";
  return caller;
}

bool May(const AdminCaller& caller, std::string_view mode = "loopback") {
  const auto error = CheckAdminAccess(mode, caller);
  if (error) {
    EXPECT_EQ(error->status, 403);
    EXPECT_EQ(error->code, 403);
  }
  return !error;
}

TEST(AdminAccessTest, LoopbackLetsInWhoeverIsOnTheMachine) {
  EXPECT_TRUE(May(Local()));
  AdminCaller stranger = Local();
  stranger.on_loopback = false;
  EXPECT_FALSE(May(stranger));
  EXPECT_TRUE(May(stranger, "any"));
}

TEST(AdminAccessTest, WhomAProxyForwardsIsNotLocal) {
  AdminCaller caller = Local();
  caller.forwarded = true;
  EXPECT_FALSE(May(caller));
  EXPECT_TRUE(May(caller, "any"));
}

TEST(AdminAccessTest, TheHostMustBeNoNameThatAStrangersDnsAnswersFor) {
  AdminCaller caller = Local();
  for (const char* host : {"localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8080", "[::1]"}) {
    caller.host = host;
    EXPECT_TRUE(May(caller)) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                           "127.0.0.1.evil.example", "", "[::1", "[evil]", "127.0.0.1x:80", "[]"}) {
    caller.host = host;
    EXPECT_FALSE(May(caller)) << host;
    EXPECT_TRUE(May(caller, "any")) << host;
  }
}

TEST(AdminAccessTest, APageOfAnotherSiteIsRefusedAlsoWhenAnyoneMay) {
  AdminCaller caller = Local();
  for (const char* origin : {"http://127.0.0.1:8080", "https://127.0.0.1:8080"}) {
    caller.origin = origin;
    EXPECT_TRUE(May(caller)) << origin;
  }
  for (const char* origin : {"http://evil.example", "null", "", "http://127.0.0.1:3000",
                             "127.0.0.1:8080", "http://127.0.0.1:8080.evil.example"}) {
    caller.origin = origin;
    EXPECT_FALSE(May(caller)) << origin;
    EXPECT_FALSE(May(caller, "any")) << origin;
  }
}

}  // namespace
}  // namespace xcloud
