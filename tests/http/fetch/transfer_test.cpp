// The last gate: even if curl were led to another address, it gets no socket for it.

#include "http/fetch/transfer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/http/fetch/photo_host.h"

namespace xcloud {
namespace {

class TransferTest : public ::testing::Test {
 protected:
  Transfer Make(const std::vector<std::string>& addresses) {
    CheckedUrl url;
    url.host.name = "photos.example.org";
    url.port = host_.port();
    url.text = "http://photos.example.org:" + std::to_string(url.port) + "/photo";
    std::vector<IpAddress> read;
    for (const std::string& text : addresses) read.push_back(boost::asio::ip::make_address(text));
    return Transfer(
        std::move(url), std::move(read), {4096, 2000, ""},
        [this](const IpAddress&, std::uint16_t) { ++connects_; }, 7);
  }
  PhotoHost host_;
  int connects_ = 0;
};

TEST_F(TransferTest, FetchesFromThePinnedAddress) {
  Transfer transfer = Make({"127.0.0.1"});
  EXPECT_EQ(Transfer::HopOf(transfer.handle()), 7U);
  const auto end = transfer.Finish(curl_easy_perform(transfer.handle()));
  ASSERT_TRUE(end.has_value());
  ASSERT_TRUE(end->photo.ok()) << end->photo.status().message();
  EXPECT_EQ(*end->photo, "photo");
  EXPECT_EQ(connects_, 1);
}

TEST_F(TransferTest, GetsNoSocketForAnAddressThatIsNotPinned) {
  Transfer transfer = Make({"127.0.0.9"});
  const std::string lie = "photos.example.org:" + std::to_string(host_.port()) + ":127.0.0.1";
  curl_slist* pins = curl_slist_append(nullptr, lie.c_str());
  curl_easy_setopt(transfer.handle(), CURLOPT_RESOLVE, pins);
  const auto end = transfer.Finish(curl_easy_perform(transfer.handle()));
  curl_slist_free_all(pins);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->outcome, FetchOutcome::kUnreachable);
  EXPECT_EQ(connects_, 0);
  EXPECT_EQ(host_.accepted(), 0U);
}

TEST_F(TransferTest, GetsNoSocketForAnotherPort) {
  PhotoHost other;
  Transfer transfer = Make({"127.0.0.1"});
  const std::string lie = "::127.0.0.1:" + std::to_string(other.port());
  curl_slist* to = curl_slist_append(nullptr, lie.c_str());
  curl_easy_setopt(transfer.handle(), CURLOPT_CONNECT_TO, to);
  const auto end = transfer.Finish(curl_easy_perform(transfer.handle()));
  curl_slist_free_all(to);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->outcome, FetchOutcome::kUnreachable);
  EXPECT_EQ(connects_, 0);
  EXPECT_EQ(other.accepted(), 0U);
}

}  // namespace
}  // namespace xcloud
