package vision

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: -std=c++11
void veil_one_thread();
void veil_trim();
*/
import "C"

// oneThread makes OpenCV use the calling thread only: frames run in parallel, so its own threads would only get in the way.
func oneThread() { C.veil_one_thread() }

// trim gives memory back to the system that C code has freed.
func trim() { C.veil_trim() }
