#!/bin/sh
# Makes the spoken sounds anew: needs flite and sox (Debian: apt-get install flite sox). README.md says more.
set -eu
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# The loudness of all: RMS of 0.1 of full scale, -20 dBFS.
loudness=0.1

say() {
  flite -voice slt --setf duration_stretch=1.05 -t "$2" -o "$work/raw.wav"
  # What a telephone carries, without silence at the ends but for a short pause behind.
  sox "$work/raw.wav" "$work/cut.wav" highpass 120 \
    silence 1 0.01 0.3% reverse silence 1 0.01 0.3% reverse fade t 0.01 pad 0.05 0.25
  rms=$(sox "$work/cut.wav" -n stat 2>&1 | awk '/RMS.*amplitude/ { print $3 }')
  gain=$(awk "BEGIN { printf \"%.2f\", 20 * log($loudness / $rms) / log(10) }")
  sox -D "$work/cut.wav" -r 8000 -c 1 -e mu-law "$here/en/$1.wav" gain -l "$gain"
}

say welcome "Welcome to the meeting service."
say ask-meeting-id "Please enter the meeting I D, followed by the pound key."
say ask-passcode "Please enter the passcode, followed by the pound key. For a letter, press the key that it is on."
say no-entry "I did not hear any keys."
say unknown-meeting "There is no meeting with this I D."
say wrong-passcode "This passcode is not right."
say too-many-tries "There were too many wrong tries. Please call again later."
say locked "This meeting is locked. Nobody can join it now."
say full "This meeting is full."
say unavailable "The meeting cannot be joined now. Please call again later."
say waiting "Please wait until somebody lets you in."
say joined "You are now in the meeting."
say good-bye "Good bye."
