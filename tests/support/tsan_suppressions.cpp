// What ThreadSanitizer must not report: third-party libraries that are not instrumented.
//
// OpenCV's image codecs start GDAL at their first use, which takes its own locks in two orders.
// That happens once in a process, inside one call; no lock of ours is part of it.
#if defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_suppressions() {
  return "deadlock:libgdal.so\n";
}
#endif
