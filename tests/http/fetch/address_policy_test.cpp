#include "http/fetch/address_policy.h"

#include <gtest/gtest.h>

#include <netinet/in.h>

#include <string>

#include "http/fetch/socket_address.h"

namespace xcloud {
namespace {

std::string Why(const std::string& address) {
  return std::string(WhyRefused(boost::asio::ip::make_address(address)));
}

TEST(AddressPolicyTest, LetsPublicAddressesThrough) {
  for (const char* address : {"1.1.1.1",
                              "8.8.8.8",
                              "93.184.216.34",
                              "9.255.255.255",
                              "11.0.0.0",
                              "100.63.255.255",
                              "100.128.0.0",
                              "126.255.255.255",
                              "128.0.0.0",
                              "168.63.129.15",
                              "169.253.255.255",
                              "169.255.0.0",
                              "172.15.255.255",
                              "172.32.0.0",
                              "192.0.1.0",
                              "192.167.255.255",
                              "192.169.0.0",
                              "198.17.255.255",
                              "198.20.0.0",
                              "223.255.255.255",
                              "2606:4700:4700::1111",
                              "2001:4860:4860::8888",
                              "2001:200::1",
                              "2a00:1450:4001::200e",
                              "2003::1",
                              "::ffff:8.8.8.8",
                              "64:ff9b::8.8.8.8"}) {
    EXPECT_EQ(Why(address), "") << address;
  }
}

TEST(AddressPolicyTest, RefusesBothEndsOfEachSpecialRange) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"0.0.0.0", "unspecified"},
      {"0.255.255.255", "unspecified"},
      {"10.0.0.0", "private"},
      {"10.255.255.255", "private"},
      {"100.64.0.0", "carrier"},
      {"100.127.255.255", "carrier"},
      {"127.0.0.0", "loopback"},
      {"127.255.255.255", "loopback"},
      {"168.63.129.16", "metadata"},
      {"169.254.0.0", "link-local"},
      {"169.254.255.255", "link-local"},
      {"172.16.0.0", "private"},
      {"172.31.255.255", "private"},
      {"192.0.0.0", "reserved"},
      {"192.0.0.255", "reserved"},
      {"192.0.2.0", "documentation"},
      {"192.0.2.255", "documentation"},
      {"192.88.99.0", "transition"},
      {"192.168.0.0", "private"},
      {"192.168.255.255", "private"},
      {"198.18.0.0", "benchmark"},
      {"198.19.255.255", "benchmark"},
      {"198.51.100.255", "documentation"},
      {"203.0.113.0", "documentation"},
      {"224.0.0.0", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.0", "reserved"},
      {"255.255.255.255", "reserved"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"::2", "reserved"},
      {"::8.8.8.8", "reserved"},
      {"::ffff:0:8.8.8.8", "reserved"},
      {"64:ff9b:1::8.8.8.8", "reserved"},
      {"100::1", "reserved"},
      {"1fff::1", "reserved"},
      {"4000::1", "reserved"},
      {"fc00::", "private"},
      {"fdff::1", "private"},
      {"fd00:ec2::254", "private"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"fec0::1", "link-local"},
      {"ff02::1", "multicast"},
      {"2001::1", "reserved"},
      {"2001:1ff::1", "reserved"},
      {"2001:db8::1", "documentation"},
      {"2002::1", "transition"},
      {"2002:808:808::1", "transition"},
      {"2620:4f:8000::1", "reserved"},
      {"3ffe::1", "reserved"},
      {"3fff::1", "documentation"},
      {"3fff:fff::1", "documentation"}};
  for (const auto& [address, why] : refused) EXPECT_EQ(Why(address), why) << address;
}

TEST(AddressPolicyTest, JudgesMappedAndNat64ByTheAddressInside) {
  EXPECT_EQ(Why("::ffff:127.0.0.1"), "loopback");
  EXPECT_EQ(Why("::ffff:169.254.169.254"), "link-local");
  EXPECT_EQ(Why("64:ff9b::10.1.2.3"), "private");
  EXPECT_EQ(Why("64:ff9b::169.254.169.254"), "link-local");
}

TEST(AddressPolicyTest, RefusesIsatapUnderAnyPrefix) {
  EXPECT_EQ(Why("2a00:1450::5efe:10.0.0.1"), "transition");
  EXPECT_EQ(Why("2a00:1450::200:5efe:8.8.8.8"), "transition");
  EXPECT_EQ(Why("2a00:1450::100:5efe:8.8.8.8"), "");
}

TEST(AddressPolicyTest, RefusesAScopeOnAnyAddress) {
  EXPECT_EQ(Why("fe80::1%1"), "link-local");
  EXPECT_EQ(Why("2606:4700:4700::1111%1"), "link-local");
}

TEST(SocketAddressTest, ReadsBothFamiliesAndNoOther) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(80);
  v4.sin_addr.s_addr = htonl(0x7F000001);
  const auto read = ToSocketAddress(reinterpret_cast<sockaddr*>(&v4), sizeof(v4));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->ip.to_string(), "127.0.0.1");
  EXPECT_EQ(read->port, 80);

  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(443);
  v6.sin6_addr.s6_addr[15] = 1;
  v6.sin6_scope_id = 3;
  const auto scoped = ToSocketAddress(reinterpret_cast<sockaddr*>(&v6), sizeof(v6));
  ASSERT_TRUE(scoped.has_value());
  EXPECT_EQ(scoped->ip.to_v6().scope_id(), 3U);
  EXPECT_EQ(scoped->port, 443);

  v4.sin_family = AF_UNIX;
  EXPECT_FALSE(ToSocketAddress(reinterpret_cast<sockaddr*>(&v4), sizeof(v4)).has_value());
}

}  // namespace
}  // namespace xcloud
