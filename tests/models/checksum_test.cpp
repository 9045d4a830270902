#include "models/checksum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "models/repository.h"
#include "models/repository_files.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

// FIPS 180-4's own examples.
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

class ChecksumTest : public ::testing::Test {
 protected:
  ChecksumTest() { root_.Write("m/2/model.pt", "abc"); }
  std::string Check() const { return CheckChecksums(root_.path() / "m/2", "model.pt").message(); }
  void Sums(const std::string& text) const { root_.Write("m/2/SHA256SUMS", text); }
  void Manifest(const std::string& text) const { root_.Write("m/2/manifest.json", text); }

  const TempFolder root_;
};

TEST_F(ChecksumTest, HashesAsTheStandardSays) {
  EXPECT_EQ(*Sha256OfFile(root_.path() / "m/2/model.pt"), kAbc);
  root_.Write("empty", "");
  EXPECT_EQ(*Sha256OfFile(root_.path() / "empty"), kNothing);
  EXPECT_EQ(Sha256OfFile(root_.path() / "none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Sha256OfFile(root_.path()).status().code(), StatusCode::kNotFound) << "a folder";
}

TEST_F(ChecksumTest, WhatMatchesAndWhatHasNoListIsFine) {
  EXPECT_EQ(Check(), "");
  Sums(std::string(kAbc) + "  model.pt\n");
  EXPECT_EQ(Check(), "");
  Sums(std::string(kAbc) + " *./model.pt\r\n\n");
  EXPECT_EQ(Check(), "");
  Manifest("{\"service\":\"m\"}");
  EXPECT_EQ(Check(), "") << "a manifest need not have a checksum";
  Manifest("{\"file\":\"model.pt\",\"file_sha256\":\"" + std::string(kAbc) + "\"}");
  EXPECT_EQ(Check(), "");
  Manifest("{\"file_sha256\":\"" + std::string(kAbc) + "\"}");
  EXPECT_EQ(Check(), "") << "the file is then the one that is loaded";
}

TEST_F(ChecksumTest, EveryDifferenceIsNamed) {
  root_.Write("m/2/other.bin", "x");
  Sums(std::string(kNothing) + "  model.pt\n" + kAbc + "  other.bin\n" + kAbc + "  gone.bin\n");
  const std::string why = Check();
  EXPECT_THAT(why, HasSubstr("m/2/model.pt: its SHA-256 is ba7816bf8f01..., but SHA256SUMS says "
                             "e3b0c44298fc..."));
  EXPECT_THAT(why, HasSubstr("m/2/other.bin: its SHA-256 is"));
  EXPECT_THAT(why, HasSubstr("m/2/gone.bin: cannot be read, and SHA256SUMS names it"));
  Sums(std::string(kAbc) + "  other.txt\n");
  EXPECT_THAT(Check(), HasSubstr("m/2/SHA256SUMS: it does not name model.pt"));
}

TEST_F(ChecksumTest, AManifestOfAnotherFileIsRefused) {
  Manifest("{\"file\":\"model.pt\",\"file_sha256\":\"" + std::string(kNothing) + "\"}");
  EXPECT_THAT(Check(), HasSubstr("m/2/model.pt: its SHA-256 is"));
  EXPECT_THAT(Check(), HasSubstr("manifest.json says"));
  for (const char* text : {"", "{", "[1]", "{\"file_sha256\":7}", "{\"file_sha256\":\"abc\"}"}) {
    Manifest(text);
    EXPECT_THAT(Check(), HasSubstr("m/2/manifest.json: ")) << text;
  }
}

TEST_F(ChecksumTest, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"/etc/passwd", "../1/model.pt", "a/../../x", "..", ".", "./"}) {
    Sums(std::string(kAbc) + "  " + name + "\n");
    EXPECT_THAT(Check(), HasSubstr("leaves the version's folder")) << name;
    Manifest("{\"file\":\"" + std::string(name) + "\",\"file_sha256\":\"" + kAbc + "\"}");
    EXPECT_THAT(Check(), HasSubstr("m/2/manifest.json: the name")) << name;
  }
}

TEST_F(ChecksumTest, LinesThatAreNoneAreNamed) {
  for (const char* line : {"abc  model.pt", "model.pt", "", "SHA256 (model.pt) = x"}) {
    Sums(std::string(line) + "\n");
    EXPECT_THAT(Check(), HasSubstr("m/2/SHA256SUMS: ")) << line;
  }
  Sums(std::string(64, 'g') + "  model.pt\n");
  EXPECT_THAT(Check(), HasSubstr("line 1: the checksum of 'model.pt' is not 64 hex digits"));
}

class LinksTest : public ::testing::Test {
 protected:
  void Link(const std::filesystem::path& to, const std::string& name) const {
    std::filesystem::create_symlink(to, root_.path() / name);
  }
  RepositoryEntry Read(const std::string& name) const {
    return ReadRepositoryEntry(root_.path() / name);
  }
  void AddModel(const std::string& name) const {
    root_.Write(name + "/model.toml", "");
    root_.Write(name + "/labels.txt", "a\nb\n");
    root_.Write(name + "/1/model.pt", "abc");
  }
  const TempFolder outside_;
  const TempFolder root_;
};

TEST_F(LinksTest, LinksWithinTheRepositoryAreFine) {
  AddModel("m");
  Link(root_.path() / "m/1", "m/2");
  EXPECT_TRUE(CheckVersionFiles(Read("m")).ok());
  EXPECT_EQ(Read("m").version, "2");
}

TEST_F(LinksTest, LinksThatLeaveTheRepositoryAreRefused) {
  outside_.Write("secret", "abc");
  outside_.Write("3/model.pt", "abc");
  AddModel("file");
  std::filesystem::create_directory(root_.path() / "file/2");
  Link(outside_.path() / "secret", "file/2/model.pt");
  EXPECT_EQ(CheckVersionFiles(Read("file")).message(),
            "file/2/model.pt: a symbolic link that leads out of the repository");
  AddModel("version");
  Link(outside_.path() / "3", "version/3");
  EXPECT_EQ(CheckVersionFiles(Read("version")).message(),
            "version/3: a symbolic link that leads out of the repository");
  AddModel("labels");
  std::filesystem::remove(root_.path() / "labels/labels.txt");
  Link(outside_.path() / "secret", "labels/labels.txt");
  EXPECT_EQ(Read("labels").state, ServiceState::kFailed);
  EXPECT_THAT(Read("labels").reason, HasSubstr("labels/labels.txt: a symbolic link that leads"));
  Link(outside_.path(), "service");
  EXPECT_THAT(Read("service").reason, HasSubstr("service: a symbolic link that leads out"));
}

TEST_F(LinksTest, TheRepositoryItselfMayBeALink) {
  AddModel("m");
  std::filesystem::create_symlink(root_.path(), outside_.path() / "models");
  const RepositoryEntry entry = ReadRepositoryEntry(outside_.path() / "models" / "m");
  EXPECT_EQ(entry.state, ServiceState::kLoading);
  EXPECT_TRUE(CheckVersionFiles(entry).ok());
}

}  // namespace
}  // namespace xcloud
