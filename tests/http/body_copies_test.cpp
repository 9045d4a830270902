// How often the bytes of a body are moved between the socket and the decoder.
#include <string>

#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

constexpr std::size_t kPhotoBytes = 200'000;
// What may come with the header into the connection's own buffer.
constexpr std::uint64_t kHeaderBuffer = 16 * 1024;

class BodyCopiesTest : public ServerFixture {
 protected:
  std::uint64_t Bytes(const std::string& path) {
    return metrics_.GetCounter("xcloud_body_bytes_total", "", {{"path", path}}).value();
  }
  // Where the photo of `request` lies when the service gets it.
  const char* AddressOf(const std::string& request) {
    RawClient client(port());
    client.Send(request);
    const HeldRequest held = service_.Take();
    const char* address = held.request.image.data();
    held.done(service_.answer);
    EXPECT_EQ(client.Receive().status, 200);
    return address;
  }
  void ExpectReadInPlace(std::size_t body_bytes) {
    EXPECT_EQ(Bytes("direct") + Bytes("copied"), body_bytes);
    EXPECT_LE(Bytes("copied"), kHeaderBuffer);
  }
};

TEST_F(BodyCopiesTest, APhotoIsReadStraightToWhereItIsDecoded) {
  Start();
  const std::string photo(kPhotoBytes, 'p');
  const RawReply reply = Ask(Post("/cv/demo", "Content-Type: image/jpeg\r\n", photo));
  ASSERT_EQ(reply.status, 200) << reply.body;
  ExpectReadInPlace(photo.size());
  EXPECT_EQ(service_.requests().back().image, photo);
}

TEST_F(BodyCopiesTest, APhotoInAFormIsNotCopiedOutOfIt) {
  Start();
  const std::string photo(kPhotoBytes, 'p');
  const std::string form = FormPart("image", photo, "a.jpg") + "--B--\r\n";
  const RawReply reply = Ask(PostForm("/cv/demo", form));
  ASSERT_EQ(reply.status, 200) << reply.body;
  ExpectReadInPlace(form.size());
  EXPECT_EQ(service_.requests().back().image, photo);
}

// A slot that was given back is taken again, so the second photo lies in the same memory, as far
// behind its beginning as in the form.
TEST_F(BodyCopiesTest, APhotoInAFormLiesWhereTheFormWasReadTo) {
  service_.Hold();
  Start();
  const std::string photo(kPhotoBytes, 'p');
  const char* slot = AddressOf(Post("/cv/demo", "Content-Type: image/jpeg\r\n", photo));
  const std::string form = FormPart("image", photo, "a.jpg") + "--B--\r\n";
  EXPECT_EQ(AddressOf(PostForm("/cv/demo", form)), slot + form.find(photo));
}

TEST_F(BodyCopiesTest, ChunksAreMovedOnce) {
  Start();
  const std::string request =
      "POST /cv/demo HTTP/1.1\r\nHost: test\r\nContent-Type: image/jpeg\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\nphoto\r\n0\r\n\r\n";
  ASSERT_EQ(Ask(request).status, 200);
  EXPECT_EQ(Bytes("copied"), 5U);
  EXPECT_EQ(Bytes("direct"), 0U);
}

}  // namespace
}  // namespace xcloud
