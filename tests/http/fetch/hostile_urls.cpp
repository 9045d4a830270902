#include "tests/http/fetch/hostile_urls.h"

namespace xcloud {
namespace {

using Urls = std::vector<HostileUrl>;

Urls OtherSchemes() {
  return {{"file:///etc/passwd", "bad_url"},
          {"file://127.0.0.1/etc/passwd", "bad_url"},
          {"gopher://127.0.0.1:{PORT}/_GET%20/photo", "bad_url"},
          {"ftp://127.0.0.1:{PORT}/photo", "bad_url"},
          {"dict://127.0.0.1:{PORT}/info", "bad_url"},
          {"ldap://127.0.0.1:{PORT}/", "bad_url"},
          {"sftp://127.0.0.1:{PORT}/", "bad_url"},
          {"telnet://127.0.0.1:{PORT}/", "bad_url"},
          {"ws://127.0.0.1:{PORT}/photo", "bad_url"},
          {"data:image/png;base64,iVBORw0KGgo=", "bad_url"},
          {"javascript:alert(1)", "bad_url"},
          {"view-source:http://127.0.0.1:{PORT}/photo", "bad_url"},
          {"httpx://127.0.0.1:{PORT}/photo", "bad_url"},
          {"url:http://127.0.0.1:{PORT}/photo", "bad_url"},
          {"ht\ntp://127.0.0.1:{PORT}/photo", "bad_url"}};
}

Urls NoHost() {
  return {{"", "bad_url"},
          {"http://", "bad_url"},
          {"http:///", "bad_url"},
          {"http:///127.0.0.1:{PORT}/photo", "bad_url"},
          {"http:/127.0.0.1:{PORT}/photo", "bad_url"},
          {"http:127.0.0.1:{PORT}/photo", "bad_url"},
          {"//127.0.0.1:{PORT}/photo", "bad_url"},
          {"127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://:{PORT}/photo", "bad_url"},
          {"http://?127.0.0.1", "bad_url"},
          {"http://.:{PORT}/", "bad_url"},
          {"http:\\\\127.0.0.1:{PORT}\\photo", "bad_url"}};
}

Urls Users() {
  return {{"http://photos.example.org@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://photos.example.org:80@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://127.0.0.1:{PORT}@photos.example.org/photo", "bad_url"},
          {"http://photos.example.org@evil.example.net@127.0.0.1:{PORT}/", "bad_url"},
          {"http://@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://:@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://photos.example.org%40127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://photos.example.org\\@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://photos.example.org#@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://127.0.0.1:{PORT}#.photos.example.org/photo", "bad_url"},
          {"http://127.0.0.1:{PORT}\\.photos.example.org/photo", "bad_url"},
          {"http://photos.example.org;@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://photos.example.org&@127.0.0.1:{PORT}/photo", "bad_url"},
          // '?' ends the host for everyone: a photo of photos.example.org, which is unknown here.
          {"http://photos.example.org?@127.0.0.1:{PORT}/photo", "no_public_address"}};
}

Urls PlainAddresses() {
  Urls out;
  for (const char* host :
       {"127.0.0.1",       "127.0.0.1.",      "127.8.8.8",      "0.0.0.0",     "0.1.2.3",
        "10.0.0.1",        "172.16.0.1",      "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1",      "100.100.100.200", "168.63.129.16",  "192.0.0.192", "192.0.2.1",
        "192.88.99.1",     "198.18.0.1",      "198.51.100.1",   "203.0.113.1", "224.0.0.1",
        "239.255.255.255", "240.0.0.1",       "255.255.255.255"}) {
    out.push_back({std::string("http://") + host + ":{PORT}/photo", "no_public_address"});
  }
  return out;
}

// One address each for parsers that know the old forms of inet_aton.
Urls DisguisedAddresses() {
  Urls out;
  for (const char* host : {"2130706433",
                           "0177.0.0.1",
                           "0x7f.0.0.1",
                           "0x7f000001",
                           "0X7F000001",
                           "017700000001",
                           "127.1",
                           "127.0.1",
                           "0",
                           "0x0",
                           "127.000.000.001",
                           "00127.0.0.1",
                           "127.0.0.0x1",
                           "6425673729",
                           "127.0.0.1.1",
                           "127.0.0.256",
                           "2852039166",
                           "0251.0376.0251.0376",
                           "0xa9.0xfe.0xa9.0xfe",
                           "169.254.43518",
                           "127.0.0.1..",
                           "127..0.1",
                           "0x",
                           "1.2.3.4.0x7f"}) {
    out.push_back({std::string("http://") + host + ":{PORT}/photo", "bad_url"});
  }
  return out;
}

Urls Ipv6() {
  Urls out;
  for (const char* host : {"[::1]",
                           "[0:0:0:0:0:0:0:1]",
                           "[::]",
                           "[::ffff:127.0.0.1]",
                           "[::ffff:7f00:1]",
                           "[::FFFF:7F00:1]",
                           "[0:0:0:0:0:ffff:169.254.169.254]",
                           "[::127.0.0.1]",
                           "[::7f00:1]",
                           "[::ffff:0:127.0.0.1]",
                           "[64:ff9b::7f00:1]",
                           "[64:ff9b::169.254.169.254]",
                           "[64:ff9b:1::7f00:1]",
                           "[2002:7f00:1::]",
                           "[2002:a9fe:a9fe::1]",
                           "[2001:0:7f00:1::80ff:fffe]",
                           "[2a00:1450::5efe:7f00:1]",
                           "[2a00:1450::200:5efe:a00:1]",
                           "[fe80::1]",
                           "[fec0::1]",
                           "[fc00::1]",
                           "[fd00:ec2::254]",
                           "[fd20:ce::254]",
                           "[ff02::1]",
                           "[2001:db8::1]",
                           "[3fff::1]",
                           "[100::1]",
                           "[5f00::1]"}) {
    out.push_back({std::string("http://") + host + ":{PORT}/photo", "no_public_address"});
  }
  for (const char* host : {"[::1", "::1", "::1]", "[127.0.0.1]", "[photos.example.org]",
                           "[::1]evil", "[[::1]]", "[fe80::1%25lo]", "[fe80::1%lo]",
                           "[::ffff:0x7f.0.0.1]", "[::ffff:0177.0.0.1]", "[v1.x]", "[]"}) {
    out.push_back({std::string("http://") + host + ":{PORT}/photo", "bad_url"});
  }
  return out;
}

Urls Encodings() {
  return {{"http://127%2e0%2e0%2e1:{PORT}/photo", "bad_url"},
          {"http://%31%32%37.0.0.1:{PORT}/photo", "bad_url"},
          {"http://%6c%6f%63alhost:{PORT}/photo", "bad_url"},
          {"http://localhost%00.example.org:{PORT}/photo", "bad_url"},
          {"http://localhost%2f.example.org:{PORT}/photo", "bad_url"},
          {"http://localhost%23.example.org:{PORT}/photo", "bad_url"},
          {"http://127\u30020\u30020\u30021:{PORT}/photo", "bad_url"},  // ideographic dots
          {"http://127\uFF0E0\uFF0E0\uFF0E1:{PORT}/photo", "bad_url"},  // wide dots
          {"http://\uFF11\uFF12\uFF17.0.0.1:{PORT}/photo", "bad_url"},  // wide digits
          {"http://\u2460\u2461\u2466.\u24EA.\u24EA.\u2460:{PORT}/", "bad_url"},  // circled digits
          {"http://\u24DBocalhost:{PORT}/photo", "bad_url"},                      // circled l
          {"http://loca\u00ADlhost:{PORT}/photo", "bad_url"},                     // soft hyphen
          {"http://127.0.0.1\u200B:{PORT}/photo", "bad_url"},                     // zero width
          {"http://photos.example.org\u2044@127.0.0.1:{PORT}/", "bad_url"},       // fraction slash
          {"http://\xFF\xFE:{PORT}/photo", "bad_url"},
          {"http://xn--127-:{PORT}/photo", "no_public_address"}};
}

Urls Injections() {
  return {{"http://photos.example.org/\r\nHost: 127.0.0.1\r\n\r\n", "bad_url"},
          {"http://photos.example.org\r\n@127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://127.0.0.1:{PORT}\r\nX: y/photo", "bad_url"},
          {"http://127.0.0.1:{PORT}/photo\n", "bad_url"},
          {" http://127.0.0.1:{PORT}/photo", "bad_url"},
          {"http:// 127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://127.0.0.1 :{PORT}/photo", "bad_url"},
          {"http://photos.example.org 127.0.0.1:{PORT}/photo", "bad_url"},
          {"http://127.0.0.1\t:{PORT}/photo", "bad_url"},
          {std::string("http://127.0.0.1\0.example.org/", 30), "bad_url"},
          {"\x7Fhttp://127.0.0.1:{PORT}/photo", "bad_url"},
          // Percent signs in a path stay percent signs; the host is unknown.
          {"http://photos.example.org/%0d%0aHost:%20127.0.0.1", "no_public_address"}};
}

Urls Ports() {
  return {{"http://photos.example.org:22/", "not_allowed"},
          {"http://photos.example.org:6379/", "not_allowed"},
          {"http://127.0.0.1:25/", "not_allowed"},
          {"http://photos.example.org:0/", "bad_url"},
          {"http://photos.example.org:65536/", "bad_url"},
          {"http://photos.example.org:4294967376/", "bad_url"},
          {"http://photos.example.org:-1/", "bad_url"},
          {"http://photos.example.org:+80/", "bad_url"},
          {"http://photos.example.org:080/", "bad_url"},
          {"http://photos.example.org:0x50/", "bad_url"},
          {"http://photos.example.org:80:{PORT}/", "bad_url"},
          {"http://127.0.0.1:{PORT}:80/", "bad_url"},
          {"http://photos.example.org:/", "bad_url"},
          {"http://photos.example.org:8o/", "bad_url"}};
}

Urls OddNames() {
  const std::string label(64, 'a');
  std::string name;
  while (name.size() < 254) name += "abcdefg.";
  return {{"http://" + label + ".example.org/", "bad_url"},
          {"http://" + name + "org/", "bad_url"},
          {"http://photos.example.org/" + std::string(2048, 'a'), "bad_url"},
          {"http://" + std::string(1 << 20, 'a'), "bad_url"},
          {"http://photos..example.org/", "bad_url"},
          {"http://.photos.example.org/", "bad_url"},
          {"http://photos.example.org../", "bad_url"},
          {"http://-photos.example.org/", "bad_url"},
          {"http://*.example.org/", "bad_url"},
          {"http://photos.example.org,127.0.0.1/", "bad_url"},
          {"http://photos.example.org|127.0.0.1/", "bad_url"},
          {"http://{127.0.0.1,photos.example.org}:{PORT}/", "bad_url"},
          {"http://$(id).example.org/", "bad_url"}};
}

Urls NamesThatLeadInside() {
  Urls out;
  for (const auto& [name, addresses] : HostileNames()) {
    out.push_back({"http://" + name + ":{PORT}/photo", "no_public_address"});
    out.push_back({"HTTP://" + name + ".:{PORT}/photo", "no_public_address"});
    out.push_back({"https://" + name + "/photo", "no_public_address"});
  }
  out.push_back({"http://LOCALHOST:{PORT}/photo", "no_public_address"});
  out.push_back({"http://LocalHost.:{PORT}/photo", "no_public_address"});
  return out;
}

}  // namespace

const std::vector<std::pair<std::string, std::vector<std::string>>>& HostileNames() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> names = {
      {"localhost", {"127.0.0.1", "::1"}},
      {"any.localhost", {"127.0.0.1"}},
      {"metadata.google.internal", {"169.254.169.254"}},
      {"127.0.0.1.nip.example.net", {"127.0.0.1"}},
      {"printer", {"192.168.1.20"}},
      {"mixed.example.net", {"93.184.216.34", "10.0.0.1"}},
      {"mixed-last-v6.example.net", {"93.184.216.34", "2606:2800:220:1::1", "::1"}},
      {"mapped.example.net", {"::ffff:10.0.0.1"}},
      {"nat64.example.net", {"64:ff9b::a9fe:a9fe"}},
      {"scoped.example.net", {"fe80::1"}},
      {"zero.example.net", {"0.0.0.0"}},
      {"empty.example.net", {}}};
  return names;
}

const std::vector<HostileUrl>& HostileUrls() {
  static const std::vector<HostileUrl> urls = [] {
    std::vector<HostileUrl> out;
    for (const auto& list :
         {OtherSchemes(), NoHost(), Users(), PlainAddresses(), DisguisedAddresses(), Ipv6(),
          Encodings(), Injections(), Ports(), OddNames(), NamesThatLeadInside()}) {
      out.insert(out.end(), list.begin(), list.end());
    }
    return out;
  }();
  return urls;
}

}  // namespace xcloud
