/* Debian's build of Lua writes this header; it names a folder of shared libraries, and there are none here. */
#define DEB_HOST_MULTIARCH "none"
