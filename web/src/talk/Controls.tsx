// What the user can do in a call: mute, choose devices, set the volume, end.

import { useMediaDeviceSelect, useRoomContext, useStartAudio } from "@livekit/components-react";
import { type ComponentProps, useState } from "react";

import type { Choices } from "../call/memory.ts";
import { isPastDoor, type Phase } from "../call/phase.ts";
import { useCall, useCallState } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/Button.tsx";
import { useFocusAfter } from "../ui/focus.ts";
import { Icon } from "../ui/Icon.tsx";

interface ControlsProps {
  phase: Phase;
  chosen: Choices;
  onChoose: (part: Partial<Choices>) => void;
}

export function Controls({ phase, chosen, onChoose }: ControlsProps) {
  const call = useCall();
  const isInRoom = isPastDoor(phase);
  return (
    <div className="controls" role="group" aria-label={strings.controls.label}>
      {isInRoom && <Unlock />}
      {isInRoom && <MicrophoneButton />}
      {isInRoom && <SoundSettings chosen={chosen} onChoose={onChoose} />}
      <Button look="danger" icon="hangUp" onClick={() => void call.end()}>
        {phase === "queued" ? strings.queue.leave : strings.controls.end}
      </Button>
    </div>
  );
}

/** Shown only while the browser holds the sound back. */
function Unlock() {
  const { mergedProps, canPlayAudio } = useStartAudio({ room: useRoomContext(), props: {} });
  return canPlayAudio ? null : <UnlockButton onClick={mergedProps.onClick} />;
}

function UnlockButton({ onClick }: Pick<ComponentProps<typeof Button>, "onClick">) {
  const place = useFocusAfter<HTMLSpanElement>("[data-microphone]");
  return (
    <span ref={place}>
      <Button look="main" icon="sound" onClick={onClick} title={strings.controls.unlockAbout}>
        {strings.controls.unlock}
      </Button>
    </span>
  );
}

function MicrophoneButton() {
  const call = useCall();
  const microphone = useCallState((state) => state.microphone);
  const isOn = microphone === "on";
  const muted = microphone === "muted" ? strings.controls.unmute : strings.controls.useMicrophone;
  return (
    <Button
      look="round"
      icon={isOn ? "microphone" : "muted"}
      aria-label={isOn ? strings.controls.mute : muted}
      title={isOn ? strings.controls.mute : muted}
      data-microphone={microphone}
      onClick={() => void call.setMicrophone(!isOn)}
    />
  );
}

function SoundSettings({ chosen, onChoose }: Omit<ControlsProps, "phase">) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className="sound" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary className="button" data-look="round" aria-label={strings.controls.settings} title={strings.controls.settings}>
        <Icon name="settings" />
      </summary>
      {isOpen && <SoundFields chosen={chosen} onChoose={onChoose} />}
    </details>
  );
}

function SoundFields({ chosen, onChoose }: Omit<ControlsProps, "phase">) {
  const words = strings.controls;
  return (
    <div className="sound-fields">
      <DeviceChoice kind="audioinput" label={words.microphone} onChoose={(microphoneId) => onChoose({ microphoneId })} />
      <DeviceChoice kind="audiooutput" label={words.speaker} onChoose={(speakerId) => onChoose({ speakerId })} />
      <label className="field">
        <span>{words.volume}</span>
        <input
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={chosen.volume}
          onChange={(event) => onChoose({ volume: event.target.valueAsNumber })}
        />
      </label>
    </div>
  );
}

interface DeviceChoiceProps {
  kind: "audioinput" | "audiooutput";
  label: string;
  onChoose: (deviceId: string) => void;
}

function DeviceChoice({ kind, label, onChoose }: DeviceChoiceProps) {
  const { devices, activeDeviceId, setActiveMediaDevice } = useMediaDeviceSelect({
    kind,
    room: useRoomContext(),
    // Else the hook opens a microphone of its own, also for a user who is muted.
    requestPermissions: false,
  });
  // Browsers without a choice of loudspeakers list none; without permission they tell no names.
  const named = devices.filter((device) => device.deviceId !== "" && device.label !== "");
  if (named.length === 0) return null;
  return (
    <label className="field">
      <span>{label}</span>
      <select
        className="input"
        value={activeDeviceId}
        onChange={(event) => {
          onChoose(event.target.value);
          // One that cannot be opened is told by the microphone itself; the choice stays for the next call.
          setActiveMediaDevice(event.target.value).catch(() => undefined);
        }}
      >
        {!named.some((device) => device.deviceId === activeDeviceId) && (
          <option value={activeDeviceId}>{strings.controls.standard}</option>
        )}
        {named.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label}
          </option>
        ))}
      </select>
    </label>
  );
}
