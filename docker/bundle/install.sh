#!/bin/bash
# install.sh installs veil from the folder that it lies in, upgrades it, takes it back to the version before, or removes it.
# It needs no network, says what it will do and asks before it does it. What was interrupted can be run again.
#
#   ./install.sh install    install, or upgrade what is installed
#   ./install.sh rollback   go back to the version before
#   ./install.sh remove     remove the packages; settings, keys, queue and store stay
#   ./install.sh purge      remove settings, keys, queue and store as well
#   ./install.sh check      check the archive and this machine; change nothing
#
#   --dry-run          say what would be done, and end
#   --yes              do not ask
#   --only PARTS       of worker,queue,store, at the first installation (default: all)
#   --workers N        worker processes, 1 to 9, at the first installation (default: 1)
#   --encryption WAY   required: the store has to confirm encryption (default); declared: you answer for the disk below it.
#                      Given again later, it changes what was said.
#   --key FILE         the public key that the archive has to be signed with (default: that of the first installation)
#   --no-start         start nothing
#   --drain TIME       how long workers may take to end their clips, in seconds (default: 780)
#
# Exit codes: 0 done; 1 a step failed, run it again; 2 usage; 3 signature or digest is wrong; 4 this machine does not fit;
# 5 too little space; 6 you said no; 7 workers did not end, nothing was changed.
set -euo pipefail
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
settings=/etc/veil
keys=$settings/keys
state=/var/lib/veil-install
backups=/var/backups/veil
log=/var/log/veil-install.log

say() { echo "install: $*"; }
fail() {
	local code=$1
	shift
	echo "install: $*" >&2
	exit "$code"
}
usage() {
	sed -n 's/^#   //p' "$0" >&2
	fail 2 "$1"
}

action=${1:-}
[ $# = 0 ] || shift
dry='' yes='' only='' workers=1 encryption=required said='' trust='' start=yes drain=780
while [ $# -gt 0 ]; do
	case $1 in
	--dry-run) dry=yes ;;
	--yes) yes=yes ;;
	--no-start) start='' ;;
	--only | --workers | --encryption | --key | --drain)
		[ $# -gt 1 ] || usage "$1 needs a value"
		case $1 in
		--only) only=$2 ;;
		--workers) workers=$2 ;;
		--encryption) encryption=$2 said=yes ;;
		--key) trust=$2 ;;
		--drain) drain=$2 ;;
		esac
		shift
		;;
	*) usage "unknown: $1" ;;
	esac
	shift
done
[[ $workers =~ ^[1-9]$ ]] || usage "--workers is 1 to 9"
[[ $drain =~ ^[0-9]+$ ]] || usage "--drain is a number of seconds"
[[ $encryption =~ ^(required|declared|off)$ ]] || usage "--encryption is required, declared or off"
[[ ,$only, =~ ^(,(worker|queue|store))*,$|^,,$ ]] || usage "--only takes worker, queue and store, with commas"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# recorded KEY gives current or previous version, as the last finished run left them; empty where there is none.
recorded() { sed -n "s/^$1=//p" "$state/state" 2>/dev/null || true; }
# begun KEY gives action, version or parts of a change that was begun and did not finish; empty where there is none.
begun() { sed -n "s/^$1=//p" "$state/underway" 2>/dev/null || true; }
# of KEY FOLDER reads a fact about a bundle.
of() { sed -n "s/^$1=//p" "$2/BUNDLE"; }
systemd() { [ -d /run/systemd/system ]; }
# installed names our packages that are there, half-way ones of an interrupted run too.
installed() {
	dpkg-query -W -f '${Package} ${db:Status-Want} ${db:Status-Status}\n' veil veil-queue veil-store 2>/dev/null |
		awk '$2 != "deinstall" && $2 != "purge" && $3 != "not-installed" && $3 != "config-files" { print $1 }' || true
}

# check_archive FOLDER compares signature and digests. The key that signed has to be the one of the first installation.
check_archive() {
	local folder=$1 key=$trust file
	# A version that is kept was signed by the key that was in force then.
	[ -n "$key" ] || [ "$folder" != "$state/versions/$(basename "$folder")" ] || [ ! -e "$folder/trusted.gpg" ] || key=$folder/trusted.gpg
	[ -n "$key" ] || for file in $settings/bundle.gpg "$folder/veil-bundle.gpg"; do
		[ -n "$key" ] || [ ! -e "$file" ] || key=$file
	done
	[ -e "$key" ] || fail 3 "there is no key to check with: name it with --key FILE"
	for file in SHA256SUMS SHA256SUMS.sig BUNDLE packages/InRelease; do
		[ -f "$folder/$file" ] || fail 3 "$folder lacks $file: unpack the archive again"
	done
	command -v gpgv >/dev/null || fail 4 "gpgv is missing, which every Debian 12 has with apt: this machine does not fit"
	signer=$(gpgv --status-fd 1 --keyring "$(realpath "$key")" "$folder/SHA256SUMS.sig" "$folder/SHA256SUMS" 2>/dev/null |
		awk '$2 == "VALIDSIG" { print $NF }') || true
	[ -n "$signer" ] || fail 3 "the signature of SHA256SUMS is not one by the key in $key: do not install this"
	(cd "$folder" && sha256sum --check --quiet --strict SHA256SUMS >"$work/wrong" 2>/dev/null) ||
		fail 3 "a file has another digest than SHA256SUMS says ($(head -n 1 "$work/wrong")): unpack the archive again"
	# The image has a list of its own, because it is not kept for a way back.
	[ ! -d "$folder/image" ] || (cd "$folder/image" && sha256sum --check --quiet --strict ../image.SHA256SUMS >"$work/wrong" 2>/dev/null) ||
		fail 3 "a file of the image has another digest than image.SHA256SUMS says ($(head -n 1 "$work/wrong")): unpack the archive again"
	# Nothing may lie there that the list does not name: apt would read it.
	(cd "$folder" && find packages -type f | sort | comm -23 - <(cut -c67- SHA256SUMS | sort)) >"$work/more"
	[ ! -s "$work/more" ] || fail 3 "SHA256SUMS does not name $(head -n 1 "$work/more"): unpack the archive again"
	cp "$key" "$work/key.gpg"
}

check_machine() {
	local id version
	id=$(sed -n 's/^ID=//p' /etc/os-release | tr -d '"')
	version=$(sed -n 's/^VERSION_ID=//p' /etc/os-release | tr -d '"')
	[ "$id $version" = "debian $(of debian "$1")" ] ||
		fail 4 "this is $id $version, and the archive is for Debian $(of debian "$1"): get the archive for this release"
	[ "$(dpkg --print-architecture)" = "$(of architecture "$1")" ] ||
		fail 4 "this machine is $(dpkg --print-architecture), and the archive is for $(of architecture "$1")"
}

# apt ARGS... runs apt-get with the archive as its only source, signed with the archive's key, and with lists of its own.
apt() {
	mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
	ln -sfn "$target/packages" "$work/apt/repository"
	echo "deb [signed-by=$work/key.gpg] file:$work/apt/repository ./" >"$work/apt/list"
	apt-get -q -o "Dir::Etc::SourceList=$work/apt/list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$work/apt/lists" \
		-o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@"
}

# parts names the packages to install: those that are there, with those that an interrupted run had still to bring, or at the
# first installation what was asked for.
parts() {
	local there
	there=$({ installed && begun parts | tr ' ' '\n'; } | sed '/^$/d' | sort -u)
	if [ -n "$there" ]; then
		echo "$there"
		return
	fi
	case ,${only:-worker,queue,store}, in *,worker,*) echo veil ;; esac
	case ,${only:-worker,queue,store}, in *,queue,*) echo veil-queue ;; esac
	case ,${only:-worker,queue,store}, in *,store,*) echo veil-store ;; esac
}

# simulate fills $work/changes with a line for each package: name, and version from which, if any.
simulate() {
	if ! apt update >"$work/out" 2>&1 || ! apt -s --fix-broken "${downgrade[@]}" install "${wanted[@]}" >"$work/out" 2>&1; then
		fail 4 "apt cannot install this here: $(grep -E '^(E:| [a-z0-9.+-]+ : )' "$work/out" | head -n 1)"
	fi
	sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\]\)\{0,1\}.*/\1 \2/p' "$work/out" >"$work/changes"
}

# check_space compares what the packages that come will take, and the copy that is kept, with what is free.
check_space() {
	local new kept need free where
	new=$(awk 'NR == FNR { if ($2 == "") want[$1]; next } $1 == "Package:" { p = $2 } $1 == "Installed-Size:" && p in want { n += $2 } END { printf "%d\n", n }' \
		"$work/changes" "$target/packages/Packages")
	kept=0
	[ "$target" = "$state/versions/$version" ] || kept=$(du -sk "$target/packages" | cut -f1)
	while read -r where need; do
		free=$(df -k --output=avail "$where" | tail -n 1)
		[ "$free" -ge $((need + 204800)) ] ||
			fail 5 "$where has $((free / 1024)) MiB free, and $((need / 1024 + 200)) MiB are needed: make room and run it again"
	done < <({
		echo "/usr $new"
		echo "/var $kept"
	} | while read -r where need; do echo "$(stat -c %d "$where") $where $need"; done | sort |
		awk '$1 == d { n += $3; next } d != "" { printf "%s %d\n", w, n } { d = $1; w = $2; n = $3 } END { printf "%s %d\n", w, n }')
}

# running names the workers and watched folders that run: units, or process numbers where there is no systemd.
running() {
	local exe
	if systemd; then
		systemctl list-units --plain --no-legend --state=active,activating,reloading,deactivating 'veil-worker@*' 'veil-watch@*' | awk '{ print $1 }'
		return
	fi
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in /usr/bin/veil | '/usr/bin/veil (deleted)') ;; *) continue ;; esac
		case $(tr '\0' ' ' 2>/dev/null <"${exe%exe}cmdline") in *' worker '* | *' watch '*) basename "${exe%/exe}" ;; esac
	done
}

# plan says what will be done, before anything is.
plan() {
	local there
	there=$(recorded current)
	echo "veil $version, built from $(of revision "$target"), signed by $signer"
	[ -e $settings/bundle.gpg ] || echo "  this key was never used here: compare it with what you were told by another way than the archive"
	case $action in
	install) if [ -n "$there" ]; then echo "  upgrades veil $there"; else echo "  is installed for the first time: $(tr '\n' ' ' <<<"${parts[*]}")"; fi ;;
	rollback) [ "$there" = "$version" ] || echo "  takes the place of veil $there" ;;
	esac
	[ -z "$(begun version)" ] || [ "$(begun version)" = "$version" ] || echo "  takes the place of veil $(begun version), whose $(begun action) was begun and not finished"
	echo "This will be done:"
	[ "$target" = "$state/versions/$version" ] || echo "  - keep its packages in $state/versions/$version, to go back to later"
	[ ! -d $settings ] || echo "  - back up $settings to $backups"
	[ -z "$(running)" ] || echo "  - ask these to end their clips, and wait: $(running | tr '\n' ' ')"
	echo "  - install $(awk '$2 == ""' "$work/changes" | wc -l) packages: $(awk '$2 == "" { print $1 }' "$work/changes" | head -n 8 | tr '\n' ' ')..."
	awk '$2 != "" { print "  - replace " $1 " " $2 }' "$work/changes"
	for file in $(missing_keys); do echo "  - draw $file for this machine"; done
	! says_otherwise || echo "  - set VEIL_ENCRYPTION=$encryption in $keys/worker.env"
	if [ -z "$start" ]; then
		echo "  - start nothing"
	elif systemd && lacks_access; then
		echo "  - start no worker: $keys/worker.env is not there, which tells where queue and store are (docs/install.md)"
	elif systemd; then
		echo "  - start queue and store, set them up, start the workers one after the other"
	else
		echo "  - start nothing: there is no systemd here; how to start them is said at the end"
	fi
	echo "Never touched: what lies in $keys, /var/lib/veil-nats (queue), /var/lib/veil-store (store), /srv/veil; settings that you changed."
}

agree() {
	[ -z "$dry" ] || exit 0
	[ "$(id -u)" = 0 ] || fail 2 "only root can do this: run it with sudo"
	[ -z "$yes" ] || return 0
	[ -t 0 ] || fail 2 "nobody can be asked: run it with --yes"
	local answer
	read -r -p "$1 " answer
	[ "$answer" = "$2" ] || fail 6 "nothing was done"
}

# keep copies the archive, without the image, to where rollback finds it.
keep() {
	local into=$state/versions/$version
	[ "$target" != "$into" ] || return 0
	rm -rf "$into.part"
	mkdir -p "$into.part"
	(cd "$target" && find . -maxdepth 1 -mindepth 1 -not -name image -exec cp -a -t "$into.part" {} +)
	cp "$work/key.gpg" "$into.part/trusted.gpg"
	chown -R root:root "$into.part"
	rm -rf "$into"
	mv "$into.part" "$into"
	target=$into
}

back_up() {
	[ -d $settings ] || return 0
	local file
	file=$backups/$(date -u +%Y%m%dT%H%M%SZ)-before-$version.tar.gz
	(umask 077 && mkdir -p $backups && tar -C / -czf "$file.part" "${settings#/}" && mv "$file.part" "$file")
	say "settings and keys are in $file"
}

# drain asks workers to end, one after the other, and waits; who ran is written down, for whoever has to repeat this.
drain() {
	local who deadline
	mapfile -t who < <(running)
	[ ${#who[@]} -gt 0 ] || return 0
	if systemd; then
		printf '%s\n' "${who[@]}" "$(cat $state/drained 2>/dev/null || true)" | sort -u | sed '/^$/d' >$state/drained.part
		mv $state/drained.part $state/drained
	fi
	for one in "${who[@]}"; do
		say "waiting for $one to end its clips"
		if systemd; then
			timeout "$drain" systemctl stop "$one" || undrain "$one"
			continue
		fi
		kill "$one" 2>/dev/null || true
		deadline=$((SECONDS + drain))
		while running | grep -qx "$one"; do
			[ $SECONDS -lt $deadline ] || fail 7 "process $one did not end: no package was changed; run it again, and it hands its clips back. Start again what has ended"
			sleep 0.2
		done
	done
}

# undrain UNIT gives up because of a unit that does not end: what was stopped starts again, that unit as soon as it has ended.
undrain() {
	local who
	mapfile -t who <$state/drained
	systemctl start --no-block "${who[@]}"
	rm -f $state/drained
	fail 7 "$1 did not end: no package was changed, and what was stopped starts again (${who[*]}); run it again, with a longer --drain"
}

packages() {
	local before after program
	before=$(sha256sum /usr/lib/veil/* 2>/dev/null || true)
	say "installing packages ($log tells)"
	{
		date -u +"%FT%TZ $action $version"
		dpkg --configure -a
		apt update
		apt -y --fix-broken "${downgrade[@]}" --reinstall install "${wanted[@]}"
	} >>$log 2>&1 || fail 1 "the packages: $(grep -E '^(E:|dpkg: error)' $log | tail -n 1): mend that and run it again"
	after=$(sha256sum /usr/lib/veil/* 2>/dev/null || true)
	replaced=()
	for program in nats-server versitygw; do
		[ -z "$before" ] || [ "$(grep "/$program\$" <<<"$before")" = "$(grep "/$program\$" <<<"$after")" ] || replaced+=("$program")
	done
	cp "$work/key.gpg" $settings/bundle.gpg
}

# says_otherwise tells that --encryption was given and is not what worker.env says.
says_otherwise() { [ -n "$said" ] && [ -e $keys/worker.env ] && ! grep -qx "VEIL_ENCRYPTION=$encryption" $keys/worker.env; }

# lacks_access tells that workers are to run here, and nobody wrote where queue and store are.
lacks_access() { [[ " ${parts[*]} " == *" veil "* && " ${parts[*]} " != *" veil-"* ]] && [ ! -e $keys/worker.env ]; }

# missing_keys names the files with secrets that the parts need and that are not there.
missing_keys() {
	local part
	for part in "${parts[@]}"; do
		case $part in
		veil) [ -e $keys/veil.key ] || echo $keys/veil.key ;;
		veil-queue) [ -e $keys/nats-auth.conf ] || echo $keys/nats-auth.conf ;;
		veil-store) [ -e $keys/store.env ] || echo $keys/store.env ;;
		esac
	done
	[ -e $keys/worker.env ] || [[ " ${parts[*]} " != *" veil-"* ]] || echo $keys/worker.env
}

random() { od -An -N 24 -tx1 /dev/urandom | tr -d ' \n'; }

# secret FILE OWNER MODE writes standard input, whole or not at all.
secret() {
	(umask 077 && cat >"$1.part")
	chown "$2" "$1.part"
	chmod "$3" "$1.part"
	mv "$1.part" "$1"
}

# draw_keys makes what is not there. worker.env comes first and holds every password; the others are drawn from it, so that an
# interrupted run leaves nothing that does not fit together.
draw_keys() {
	local wanted
	if says_otherwise; then
		{ grep -v '^VEIL_ENCRYPTION=' $keys/worker.env && echo "VEIL_ENCRYPTION=$encryption"; } |
			secret $keys/worker.env "$(stat -c %U:%G $keys/worker.env)" "$(stat -c %a $keys/worker.env)"
		say "$keys/worker.env says VEIL_ENCRYPTION=$encryption now"
	fi
	wanted=$(missing_keys)
	[ -n "$wanted" ] || return 0
	if grep -q "worker.env" <<<"$wanted"; then
		local group=root
		! getent group veil >/dev/null || group=veil
		secret $keys/worker.env root:$group 0640 <<-END
			# Drawn for this machine. The queue's address with its password, and the store's first account.
			VEIL_NATS=nats://veil:$(random)@127.0.0.1:4222
			VEIL_S3_KEY=veil$(random | cut -c1-12)
			VEIL_S3_SECRET=$(random)
			# required: the store has to confirm that it encrypts (versitygw does not); declared: you answer for the disk below it.
			VEIL_ENCRYPTION=$encryption
		END
	fi
	if grep -q nats-auth.conf <<<"$wanted"; then
		secret $keys/nats-auth.conf root:veil-nats 0640 <<-END
			authorization { user: veil, password: "$(sed -n 's|^VEIL_NATS=nats://veil:\(.*\)@.*|\1|p' $keys/worker.env)" }
		END
	fi
	if grep -q store.env <<<"$wanted"; then
		secret $keys/store.env root:root 0600 <<-END
			ROOT_ACCESS_KEY=$(sed -n 's/^VEIL_S3_KEY=//p' $keys/worker.env)
			ROOT_SECRET_KEY=$(sed -n 's/^VEIL_S3_SECRET=//p' $keys/worker.env)
		END
	fi
	if grep -q veil.key <<<"$wanted"; then
		/usr/bin/veil keygen -o "$work/keygen" >/dev/null
		secret $keys/veil.pub root:root 0644 <"$work/keygen/veil.pub"
		secret $keys/veil.key veil:veil 0600 <"$work/keygen/veil.key"
		say "the key that signs evidence is $keys/veil.key: keep a copy away from this machine; give out $keys/veil.pub"
	fi
}

# device ADDRESS is bash's name for a connection to where something listens: HOST:PORT, :PORT or PORT, the first of several.
device() {
	local host port=${1%%,*}
	host=${port%"${port##*:}"}
	host=${host%:} port=${port##*:}
	host=${host#[} host=${host%]}
	case $host in '' | 0.0.0.0 | :: | '*') host=127.0.0.1 ;; esac
	echo "/dev/tcp/$host/$port"
}

# ready N waits until worker N takes jobs: it answers where the last of its files of settings says.
ready() {
	local answer address
	address=$({ cat $settings/worker.env $keys/worker.env "$settings/worker-$1.env" 2>/dev/null || true; } | sed -n 's/^VEIL_LISTEN=//p' | tail -n 1)
	address=$(device "${address:-127.0.0.1:946$1}")
	for _ in $(seq 600); do
		answer=$( (exec 3<>"$address" && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3) 2>/dev/null || true)
		[[ $answer != *" 200 "* ]] || return 0
		sleep 0.5
	done
	return 1
}

# address UNIT is where the settings of queue or store have it listen.
address() {
	local at=''
	case $1 in
	veil-nats)
		at=$(sed -n 's/^[[:space:]]*listen[[:space:]]*[:=]\{0,1\}[[:space:]]*"\{0,1\}\([^"[:space:]#]*\).*/\1/p' $settings/nats.conf | tail -n 1)
		echo "${at:-4222}"
		;;
	veil-store)
		at=$({ cat $settings/store.env $keys/store.env 2>/dev/null || true; } | sed -n 's/^VGW_PORT=//p' | tail -n 1)
		echo "${at:-7070}"
		;;
	esac
}

# listening UNIT waits until something answers where it has to.
listening() {
	local at
	at=$(device "$(address "$1")")
	for _ in $(seq 240); do
		systemctl is-active --quiet "$1" || break
		! (exec 3<>"$at") 2>/dev/null || return 0
		sleep 0.5
	done
	fail 1 "$1 does not answer at $(address "$1"): look at journalctl -u $1 and run it again"
}

start_units() {
	local unit instance units=()
	systemctl daemon-reload
	systemctl enable --quiet veil.target
	for unit in veil-nats:veil-queue:nats-server veil-store:veil-store:versitygw; do
		IFS=: read -r unit package program <<<"$unit"
		[[ " ${parts[*]} " == *" $package "* ]] || continue
		systemctl enable --quiet "$unit"
		[[ " ${replaced[*]} " != *" $program "* ]] || systemctl stop "$unit"
		say "starting $unit"
		systemctl start "$unit"
		listening "$unit"
	done
	if [[ " ${parts[*]} " == *" veil "* ]] && [ -e $keys/worker.env ]; then
		/usr/sbin/veil-here setup >>$log 2>&1 || fail 1 "veil setup: $(tail -n 1 $log)"
		if [ ! -e $state/workers ] && { [ -z "$(recorded current)" ] || ! compgen -G '/etc/systemd/system/*.wants/veil-worker@*' >/dev/null; }; then
			for instance in $(seq "$workers"); do units+=("veil-worker@$instance.service"); done
			systemctl enable --quiet "${units[@]}"
			first=yes
		fi
		[ ! -s $state/drained ] || mapfile -t -O ${#units[@]} units <$state/drained
		for unit in "${units[@]}"; do
			say "starting $unit"
			systemctl start "$unit"
			[[ $unit != veil-worker@* ]] || { instance=${unit#veil-worker@} && ready "${instance%.service}"; } ||
				fail 1 "$unit takes no jobs: look at journalctl -u $unit and run it again"
		done
		# Later the target is left as it is: who stopped it had a reason.
		[ -z "$first" ] || systemctl start veil.target
		touch $state/workers # later those that are enabled are as somebody wants them
	fi
	rm -f $state/drained
}

how_to_start() {
	local unit
	say "start these in your own way, each as its user and with its files of settings in the environment:"
	for unit in veil-nats veil-store veil-worker@ veil-watch@; do
		unit=/usr/lib/systemd/system/$unit.service
		[ ! -e "$unit" ] || sed -n '/^\(User\|EnvironmentFile\|Environment\|WorkingDirectory\|ExecStart\)=/s/^/  /p' "$unit"
	done
	say "before the first worker: veil-here setup"
}

finish() {
	local before
	before=$(recorded current)
	[ "$before" != "$version" ] || before=$(recorded previous)
	printf 'current=%s\nprevious=%s\n' "$version" "$before" >$state/state.part
	mv $state/state.part $state/state
	rm -f $state/underway
	find $state/versions -mindepth 1 -maxdepth 1 -not -name "$version" -not -name "${before:-$version}" -exec rm -rf {} +
	say "veil $version is installed"
	! lacks_access || say "no worker runs: write $keys/worker.env (root:veil, mode 0640; docs/install.md tells what goes in) and run it again"
}

# change installs $target: a first installation, an upgrade or a way back.
change() {
	mapfile -t parts < <(parts)
	wanted=("${parts[@]/%/=$version}")
	simulate
	check_space
	plan
	agree "Go on? (yes/no)" yes
	mkdir -p $state/versions
	exec 9>$state/lock
	flock -n 9 || fail 1 "another install.sh is at work"
	keep
	back_up
	drain
	printf 'action=%s\nversion=%s\nparts=%s\n' "$action" "$version" "${parts[*]}" >$state/underway.part
	mv $state/underway.part $state/underway
	packages
	draw_keys
	if [ -n "$start" ] && systemd; then start_units; fi
	finish
	systemd || how_to_start
}

parts=() wanted=() downgrade=() replaced=() signer='' first='' target=$bundle
case $action in
check | install)
	check_archive "$target"
	check_machine "$target"
	version=$(of version "$target")
	[ "$action" = install ] || { say "archive and machine fit: veil $version, signed by $signer" && exit 0; }
	newest=$(recorded current)
	if [ -n "$newest" ] && dpkg --compare-versions "$version" lt "$newest"; then
		fail 2 "veil $newest is installed, and this is the older $version: to go back run $0 rollback"
	fi
	# What is recorded as installed is taken for the way back from a newer one that did not get through.
	[ "$newest" != "$version" ] || downgrade=(--allow-downgrades)
	change
	;;
rollback)
	# From an upgrade that did not get through the way back leads to where it began; a way back that did not, goes on.
	case $(begun action) in
	install) version=$(recorded current) && [ "$version" != "$(begun version)" ] || version=$(recorded previous) ;;
	rollback) version=$(begun version) ;;
	*) version=$(recorded previous) ;;
	esac
	[ -n "$version" ] || fail 2 "there is no version before: nothing to go back to"
	target=$state/versions/$version
	check_archive "$target"
	check_machine "$target"
	downgrade=(--allow-downgrades)
	change
	;;
remove | purge)
	mapfile -t parts < <(installed)
	echo "This will be done:"
	[ -z "$(running)" ] || echo "  - ask these to end their clips, and wait: $(running | tr '\n' ' ')"
	echo "  - remove the packages: ${parts[*]:-none is installed}. What they needed of Debian stays."
	if [ "$action" = purge ]; then
		echo "  - back up nothing, and DESTROY settings, keys, queue, store, and kept packages: $settings /var/lib/veil-nats /var/lib/veil-store /var/cache/veil $state"
		echo "Without the key nobody signs as this agency again; without the store every derivative and all evidence is gone. /srv/veil and $backups stay."
		yes=''
		agree "Type the name of this machine ($(uname -n)) to destroy them:" "$(uname -n)"
	else
		echo "Never touched: $settings (settings, keys), /var/lib/veil-nats (queue), /var/lib/veil-store (store), /srv/veil."
		agree "Go on? (yes/no)" yes
	fi
	mkdir -p $state
	drain
	! systemd || systemctl disable --quiet --now veil.target veil-nats veil-store 2>/dev/null || true
	[ ${#parts[@]} = 0 ] || dpkg --remove "${parts[@]}" >>$log 2>&1 || fail 1 "dpkg: $(tail -n 1 $log)"
	rm -f $state/state $state/drained $state/underway $state/workers
	if [ "$action" = purge ]; then
		dpkg --purge veil veil-queue veil-store >>$log 2>&1 || true
		rm -rf $settings /var/lib/veil-nats /var/lib/veil-store /var/cache/veil $state
	fi
	say "done"
	;;
*) usage "say what to do" ;;
esac
