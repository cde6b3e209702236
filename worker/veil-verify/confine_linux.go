package main

import (
	"os/exec"
	"path/filepath"
	"syscall"

	"veil/worker/sandbox"
)

// confined starts ffmpeg where it can read the file and its own libraries, write nothing, and reach no network and no other
// process, as far as this kernel can deny that.
func confined(program string) func(func() *exec.Cmd, string) (*exec.Cmd, func(), error) {
	return func(command func() *exec.Cmd, file string) (*exec.Cmd, func(), error) {
		rules := append(sandbox.System(), sandbox.Rule{Path: program, Access: sandbox.Run},
			sandbox.Rule{Path: filepath.Join(filepath.Dir(program), "..", "lib"), Access: sandbox.Read},
			sandbox.Rule{Path: file, Access: sandbox.Read})
		thread, err := sandbox.NewThread(rules)
		if err != nil {
			return nil, nil, err
		}
		cmd, _, err := sandbox.Start(command, func(cmd *exec.Cmd) error {
			if cmd.SysProcAttr == nil {
				cmd.SysProcAttr = &syscall.SysProcAttr{}
			}
			cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
			return thread.Do(cmd.Start)
		})
		if err != nil {
			thread.Close()
			return nil, nil, err
		}
		return cmd, thread.Close, nil
	}
}
