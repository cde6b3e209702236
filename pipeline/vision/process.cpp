#include <malloc.h>
#include <opencv2/core/utility.hpp>

// gocv 0.31 does not wrap this one.
extern "C" void veil_one_thread() {
    try {
        cv::setNumThreads(1);
    } catch (...) {
    }
}

extern "C" void veil_trim() { malloc_trim(0); }

// One heap for all threads: the engines allocate rarely and much, and each further heap would keep its own leftovers (32 MB
// less at 720p).
__attribute__((constructor)) static void veil_one_heap() { mallopt(M_ARENA_MAX, 1); }
