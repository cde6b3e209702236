// Package leftout keeps the parts of OpenCV that veil never uses out of the program: windows, cameras, and the readers and
// writers of pictures and videos. gocv binds to all of OpenCV in one package, and those three libraries bring along some 230
// more (GDAL, a window system, codecs), which every process would load at its start, hold in memory and expose to hostile
// input.
//
// It defines the few functions of them that gocv refers to, each of which ends the process and says why, so that the linker
// finds nothing missing and leaves the libraries out. A function that another version of OpenCV has and that is not defined
// here costs memory and nothing else: its library is linked as usual. Import it for its effect where gocv is imported.
package leftout

import "C" // for leftout.c
