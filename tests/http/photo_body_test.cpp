// The forms that a photo comes in, without a server: where it is found, and what is refused.
#include "http/endpoints/photo_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/base64_text.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kPhoto("\xFF\xD8\xFF\xE0 photo\0bytes>>>???", 22);

class PhotoBodyTest : public ::testing::Test {
 protected:
  // "photo:BYTES", "url:URL", or the status, body code and words of the refusal.
  std::string Take(const PhotoBodyType& type, const std::string& text) {
    const SharedBytes body = text;
    options_ = {};
    source_ = {};
    if (const auto error = TakePhoto(type, body, pool_, options_, source_)) {
      return std::to_string(error->status) + "/" + std::to_string(error->code) + " " +
             error->message;
    }
    if (!source_.url.empty()) return "url:" + source_.url;
    return "photo:" + std::string(source_.photo.view());
  }
  std::string Json(const std::string& text) { return Take({PhotoForm::kJson, ""}, text); }
  std::string Form(const std::string& text) { return Take({PhotoForm::kUrlencoded, ""}, text); }
  std::string Multipart(const std::string& parts) {
    return Take({PhotoForm::kMultipart, "B"}, parts + "--B--");
  }
  static std::string Field(const std::string& name, const std::string& data,
                           const std::string& more = "") {
    return "--B\r\nContent-Disposition: form-data; name=" + name + more + "\r\n\r\n" + data +
           "\r\n";
  }
  static std::string File(const std::string& name, const std::string& data) {
    return Field(name, data, "; filename=x.jpg");
  }

  const std::string base64_ = ToBase64(kPhoto);
  const std::string photo_ = "photo:" + kPhoto;
  BodyPool pool_;
  InferOptions options_;
  PhotoSource source_;
};

TEST_F(PhotoBodyTest, TheBoundaryMayBeQuoted) {
  PhotoBodyType type;
  EXPECT_FALSE(ReadPhotoBodyType("multipart/form-data; boundary=\"a b:c\"", type));
  EXPECT_EQ(type.form, PhotoForm::kMultipart);
  EXPECT_EQ(type.boundary, "a b:c");
}

TEST_F(PhotoBodyTest, TheTypeMayHaveAnyCaseAndParameters) {
  PhotoBodyType type;
  EXPECT_FALSE(ReadPhotoBodyType("Application/JSON; charset=utf-8", type));
  EXPECT_EQ(type.form, PhotoForm::kJson);
  EXPECT_FALSE(ReadPhotoBodyType("application/x-www-form-urlencoded;charset=UTF-8", type));
  EXPECT_EQ(type.form, PhotoForm::kUrlencoded);
  EXPECT_EQ(ReadPhotoBodyType("application/jsonp", type)->status, 415);
}

TEST_F(PhotoBodyTest, BytesThatStandInTheBodyStayThere) {
  const SharedBytes body = File("image", kPhoto) + "--B--";
  ASSERT_FALSE(TakePhoto({PhotoForm::kMultipart, "B"}, body, pool_, options_, source_));
  EXPECT_EQ(source_.photo, kPhoto);
  EXPECT_EQ(source_.photo.data(), body.data() + body.view().find(kPhoto));
  const SharedBytes raw = kPhoto;
  ASSERT_FALSE(TakePhoto({}, raw, pool_, options_, source_));
  EXPECT_EQ(source_.photo.data(), raw.data());
}

TEST_F(PhotoBodyTest, APartIsAFileOrBase64) {
  for (const std::string name : {"image", "imgraw"}) {
    EXPECT_EQ(Multipart(File(name, kPhoto)), photo_);
    EXPECT_EQ(Multipart(Field(name, base64_)), photo_);
    EXPECT_EQ(Multipart(Field(name, "data:image/jpeg;base64," + base64_)), photo_);
    EXPECT_EQ(Multipart(Field(name, kPhoto)), photo_) << "a file without its name";
    EXPECT_EQ(Multipart(Field(name, "any", "\r\nContent-Type: image/jpeg")), "photo:any");
  }
  EXPECT_EQ(Multipart(File("image", base64_)), "photo:" + base64_) << "a file is what it is";
  EXPECT_EQ(Multipart(Field("image", "data:;BASE64," + base64_)), photo_);
}

TEST_F(PhotoBodyTest, AUrlComesInImgurlOrImage) {
  const std::string url = "https://photos.example.org/a.jpg?x=1&y=2";
  EXPECT_EQ(Multipart(Field("imgurl", url)), "url:" + url);
  EXPECT_EQ(Multipart(Field("image", url)), "url:" + url);
  EXPECT_EQ(Multipart(Field("image", "\r\n http://a/b \n")), "url:http://a/b");
  EXPECT_EQ(Form("imgurl=http%3A%2F%2Fa%2Fb%3Fx%3D1%26y%3D2"), "url:http://a/b?x=1&y=2");
  EXPECT_EQ(Form("image=http://a/b+c"), "url:http://a/b+c");
  EXPECT_EQ(Json(R"({"imgurl":"http:\/\/a\/b"})"), "url:http://a/b");
  EXPECT_EQ(Json(R"({"image":"https://a/b"})"), "url:https://a/b");
  EXPECT_EQ(Json(R"({"imgurl":"ftp://a/b"})"), "url:ftp://a/b") << "the fetcher refuses it";
  EXPECT_THAT(Json(R"({"imgraw":"http://a/b"})"),
              HasSubstr("400/1 the base64 of 'imgraw' is broken at character 4 (0x3a)"));
}

TEST_F(PhotoBodyTest, AUrlencodedFieldIsBase64) {
  ASSERT_NE(base64_.find('+'), std::string::npos) << "or the next lines show nothing";
  std::string escaped;
  for (const char c : base64_) {
    escaped += c == '+' ? "%2B" : c == '/' ? "%2f" : c == '=' ? "%3D" : std::string(1, c);
  }
  EXPECT_EQ(Form("image=" + escaped), photo_);
  EXPECT_EQ(Form("imgraw=" + base64_), photo_) << "a '+' that was left as it is";
  std::string spaced = base64_;
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  EXPECT_EQ(Form("image=" + spaced), photo_) << "and one that became a space";
  EXPECT_EQ(Form("image=data%3Aimage%2Fjpeg%3Bbase64%2C" + escaped), photo_);
  EXPECT_EQ(Form(kPhoto), photo_) << "what curl --data-binary sends";
  EXPECT_THAT(Form("image=%zz"), HasSubstr("400/1 the form has a malformed %-escape"));
  EXPECT_THAT(Form("image=AA%4"), HasSubstr("400/1 the form has a malformed %-escape"));
}

TEST_F(PhotoBodyTest, AJsonFieldIsBase64) {
  EXPECT_EQ(Json(R"({"image":")" + base64_ + R"("})"), photo_);
  EXPECT_EQ(Json(R"( {"k":3 , "imgraw" : "data:image\/jpeg;base64,)" + base64_ + "\"}\n"), photo_);
  std::string escaped;
  for (const char c : base64_) {
    escaped += c == '/' ? "\\/" : c == '+' ? "\\u002b" : std::string(1, c);
  }
  EXPECT_EQ(Json(R"({"image":")" + escaped + R"("})"), photo_);
  EXPECT_EQ(Json(R"({"image":")" + base64_.substr(0, 8) + "\\n" + base64_.substr(8) + R"("})"),
            photo_);
}

TEST_F(PhotoBodyTest, OptionsStandBesideThePhoto) {
  const auto expect_options = [&] {
    EXPECT_EQ(options_.top_k, 7);
    EXPECT_EQ(options_.deadline_ms, 250);
    EXPECT_EQ(options_.priority, Priority::kHigh);
    EXPECT_TRUE(options_.explain);
    EXPECT_EQ(options_.version, "2");
  };
  EXPECT_EQ(Multipart(Field("k", "7") + Field("deadline_ms", "250") + File("image", kPhoto) +
                      Field("priority", "high") + Field("explain", "1") +
                      Field("model_version", "2") + Field("user", "me")),
            photo_);
  expect_options();
  EXPECT_EQ(Form("k=7&deadline_ms=%32%350&image=" + base64_ +
                 "&priority=high&explain=1&model_version=2&user=me&&x"),
            photo_);
  expect_options();
  EXPECT_EQ(Json(R"({"k":7,"deadline_ms":250,"image":")" + base64_ +
                 R"(","priority":"high","explain":true,"model_version":2,"user":{"k":[9]}})"),
            photo_);
  expect_options();
  EXPECT_EQ(Json(R"({"explain":0,"model_version":"3","k":null,"image":")" + base64_ + R"("})"),
            photo_);
  EXPECT_FALSE(options_.explain);
  EXPECT_EQ(options_.version, "3");
  EXPECT_EQ(options_.top_k, 0) << "null is as if left out";
}

TEST_F(PhotoBodyTest, AJsonFieldOfAnotherTypeIsRefusedByItsName) {
  const auto with = [&](const std::string& member) {
    return Json("{" + member + R"(,"image":")" + base64_ + R"("})");
  };
  EXPECT_EQ(with(R"("k":"5")"), "400/400 'k' must be a whole number");
  EXPECT_EQ(with(R"("k":5.5)"), "400/400 'k' must be a whole number");
  EXPECT_EQ(with(R"("k":true)"), "400/400 'k' must be a whole number");
  EXPECT_EQ(with(R"("deadline_ms":[200])"), "400/400 'deadline_ms' must be a whole number");
  EXPECT_EQ(with(R"("priority":1)"), "400/400 'priority' must be a string");
  EXPECT_EQ(with(R"("explain":"yes")"), "400/400 'explain' must be true or false");
  EXPECT_EQ(with(R"("model_version":{})"), "400/400 'model_version' must be a string");
  EXPECT_THAT(with(R"("k":0)"), StartsWith("400/400 k must be a whole number from 1 to 1000"));
  EXPECT_THAT(with(R"("k":-5)"), StartsWith("400/400 k must be"));
  EXPECT_THAT(with(R"("k":99999999999999999999999)"), StartsWith("400/400 'k' must be"));
  EXPECT_EQ(Json(R"({"image":5})"), "400/1 'image' must be a string: base64 or a URL");
  EXPECT_EQ(Json(R"({"imgraw":[]})"), "400/1 'imgraw' must be a string of base64");
  EXPECT_EQ(Json(R"({"imgurl":{"a":1}})"), "400/1 'imgurl' must be a string: a URL");
}

TEST_F(PhotoBodyTest, OnePhotoARequest) {
  const std::string both = "400/1 one photo a request: both 'image' and 'imgurl' hold one";
  EXPECT_EQ(Multipart(File("image", kPhoto) + Field("imgurl", "http://a/b")), both);
  EXPECT_EQ(Form("image=" + base64_ + "&imgurl=http://a/b"), both);
  EXPECT_EQ(Json(R"({"image":"AAAA","imgurl":"http://a/b"})"), both);
  EXPECT_EQ(Multipart(File("image", kPhoto) + File("image", kPhoto)),
            "400/1 one photo a request: both 'image' and 'image' hold one");
}

TEST_F(PhotoBodyTest, AnInputThatWasLeftBlankIsPassedOver) {
  EXPECT_EQ(Multipart(File("image", "") + Field("imgurl", "http://a/b")), "url:http://a/b");
  EXPECT_EQ(Multipart(File("image", kPhoto) + Field("imgurl", "")), photo_);
  EXPECT_EQ(Form("imgurl=&image=" + base64_), photo_);
  EXPECT_EQ(Json(R"({"imgurl":"","imgraw":null,"image":")" + base64_ + R"("})"), photo_);
}

TEST_F(PhotoBodyTest, NoPhotoAtAllSaysHowToSendOne) {
  const std::string none = "400/1 Invalid Image: there is none; send it as 'image'";
  EXPECT_THAT(Multipart(Field("photo", "x")), StartsWith(none));
  EXPECT_THAT(Form("k=5"), StartsWith(none));
  EXPECT_THAT(Json("{}"), StartsWith(none));
  EXPECT_THAT(Json(R"({"data":{"image":"AAAA"}})"), StartsWith(none)) << "only at the top";
  EXPECT_EQ(Multipart(File("image", "")), "400/1 Invalid Image: 'image' is empty");
  EXPECT_EQ(Form("imgraw="), "400/1 Invalid Image: 'imgraw' is empty");
  EXPECT_EQ(Form("imgraw=%20"), "400/1 Invalid Image: 'imgraw' is empty");
  EXPECT_EQ(Json(R"({"imgurl":" "})"), "400/1 Invalid Image: 'imgurl' is empty");
  EXPECT_EQ(Json(R"({"image":"data:image/png;base64,"})"), "400/1 Invalid Image: 'image' is empty");
  for (const PhotoForm form :
       {PhotoForm::kRaw, PhotoForm::kUrlencoded, PhotoForm::kMultipart, PhotoForm::kJson}) {
    EXPECT_THAT(Take({form, "B"}, ""), StartsWith("400/1 Invalid Image: the body is empty"));
  }
}

TEST_F(PhotoBodyTest, WhatIsNoBase64IsRefusedWithItsPlace) {
  EXPECT_EQ(Json(R"({"image":"AAAA%"})"),
            "400/1 the base64 of 'image' is broken at character 4 (0x25): not in the alphabet");
  EXPECT_THAT(Multipart(Field("imgraw", "GIF89a...")), StartsWith("400/1 the base64 of 'imgraw'"));
  EXPECT_THAT(Form("image=A"), HasSubstr("at its end: a single character is left over"));
  EXPECT_THAT(Json(R"({"image":"data:image/png,AAAA"})"), HasSubstr("must say ;base64,"));
  EXPECT_THAT(Json(R"({"image":"data:AAAA"})"), HasSubstr("must say ;base64,"));
}

TEST_F(PhotoBodyTest, MalformedJsonIsRefusedWithItsPlace) {
  EXPECT_THAT(Json("{"), StartsWith("400/1 malformed JSON at byte 1: "));
  EXPECT_THAT(Json(R"({"image":"AAAA"} x)"), StartsWith("400/1 malformed JSON at byte 17: "));
  EXPECT_THAT(Json(R"({"image":"AA)"), StartsWith("400/1 malformed JSON"));
  EXPECT_THAT(Json("not JSON"), StartsWith("400/1 malformed JSON at byte "));
  EXPECT_THAT(Json(R"({"image":"AAAA"})" + std::string("\0x", 2)),
              StartsWith("400/1 malformed JSON at byte 16: a zero byte"));
  for (const char* root : {"[]", "5", "null", "\"AAAA\"", "true"}) {
    EXPECT_EQ(Json(root), "400/1 the JSON body must be an object") << root;
  }
}

TEST_F(PhotoBodyTest, JsonIsAtMostAHundredDeep) {
  const auto deep = [&](std::size_t depth) {
    return Json(R"({"image":"AAAA","x":)" + std::string(depth - 1, '[') +
                std::string(depth - 1, ']') + "}");
  };
  EXPECT_EQ(deep(100), std::string("photo:\0\0\0", 9));
  EXPECT_EQ(deep(101), "400/1 JSON nesting depth exceeds maximum allowed limit (100)");
  EXPECT_EQ(Json(std::string(250'000, '[')), "400/1 the JSON body must be an object");
  std::string objects = R"({"image":"AAAA")";
  for (int i = 0; i < 100'000; ++i) objects += R"(,"a":{"a":[)";
  EXPECT_THAT(Json(objects), StartsWith("400/1 "));
}

TEST_F(PhotoBodyTest, ManyFieldsAreRefusedAndNotKept) {
  std::string form;
  std::string json = "{";
  for (int i = 0; i < 1000; ++i) {
    form += "&image=";
    json += R"("image":"",)";
  }
  EXPECT_THAT(Form(form), StartsWith("400/1 the form has more than 64 fields"));
  EXPECT_THAT(Json(json + R"("image":"AAAA"})"), StartsWith("400/1 one photo a request"));
  EXPECT_THAT(Form(std::string(100'000, '&') + "image=AAAA"), StartsWith("photo:"));
}

TEST_F(PhotoBodyTest, AnOptionOfAnyLengthIsRefusedOrPassedOver) {
  EXPECT_THAT(Form("k=" + std::string(100'000, '1') + "&image=AAAA"), StartsWith("400/400 k must"));
  EXPECT_THAT(Form("note=" + std::string(100'000, '%') + "&image=AAAA"), StartsWith("photo:"));
  EXPECT_THAT(Form("note=%zz&image=AAAA"), StartsWith("400/400 the form has a malformed"));
}

}  // namespace
}  // namespace xcloud
