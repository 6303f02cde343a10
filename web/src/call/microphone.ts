// The user's microphone: asked for at the click, open as soon as there is a room, and what hinders it.

import {
  ConnectionState,
  createLocalAudioTrack,
  type LocalAudioTrack,
  type LocalTrack,
  MediaDeviceFailure,
  ParticipantEvent,
  type Room,
  Track,
} from "livekit-client";

import { choices } from "./memory.ts";
import { type Trouble, trouble, type TroubleKind } from "./trouble.ts";

/** `off` is one that was never open, or cannot be; `asking` while the browser asks the user. */
export type MicrophoneState = "off" | "asking" | "on" | "muted";

export class Microphone {
  /** Whether the user wants to be heard. */
  isWanted = true;
  private isClosed = false;
  private opening: Promise<boolean> | null = null;
  private track: LocalAudioTrack | null = null;
  private readonly room: Room;
  private readonly tell: (state: MicrophoneState, hindrance: Trouble | null) => void;

  constructor(room: Room, tell: (state: MicrophoneState, hindrance: Trouble | null) => void) {
    this.room = room;
    this.tell = tell;
    const user = room.localParticipant;
    const look = (): void => tell(this.state(), null);
    for (const event of [ParticipantEvent.TrackMuted, ParticipantEvent.TrackUnmuted] as const) user.on(event, look);
    user.on(ParticipantEvent.LocalTrackPublished, look).on(ParticipantEvent.LocalTrackUnpublished, look);
  }

  /**
   * Lets the browser ask the user, unless it knows the answer, and lets go of the microphone at
   * once: nobody is recorded while they wait in line. Returns whether there is one.
   */
  async ask(): Promise<boolean> {
    if (await isGranted()) return true;
    this.tell("asking", null);
    return this.hindered(async () => {
      const stream = await media().getUserMedia({ audio: true });
      for (const track of stream.getTracks()) track.stop();
    });
  }

  /**
   * Opens it. What is said before the agent listens is recorded and sent to it then (LiveKit's
   * pre-connect buffer, ten seconds at most), so this may be called before the room is connected.
   */
  async open(): Promise<boolean> {
    this.isWanted = true;
    this.opening ??= this.hindered(() => this.publish()).finally(() => (this.opening = null));
    return this.opening;
  }

  /** Opens it on the way into a room, unless the user has muted it before. */
  async restore(): Promise<boolean> {
    return this.isWanted && this.open();
  }

  async mute(): Promise<void> {
    this.isWanted = false;
    await this.room.localParticipant.setMicrophoneEnabled(false);
  }

  /** Lets go of it for good, also where the browser gives it only later. */
  close(): void {
    this.isClosed = true;
    this.track?.stop();
  }

  private async publish(): Promise<void> {
    const user = this.room.localParticipant;
    const published = user.getTrackPublication(Track.Source.Microphone);
    if (published !== undefined) {
      await published.unmute();
      return;
    }
    media();
    const { microphoneId } = choices();
    const track = await createLocalAudioTrack(microphoneId === "" ? {} : { deviceId: microphoneId });
    this.track = track;
    if (this.isClosed) {
      track.stop();
      return;
    }
    if (!this.isWanted) await track.mute();
    // As setMicrophoneEnabled does, whose track nobody could stop before it is published.
    else track.startPreConnectBuffer();
    try {
      // The cast: the client is not compiled with exactOptionalPropertyTypes.
      await user.publishTrack(track as LocalTrack, { source: Track.Source.Microphone });
    } catch (error) {
      track.stop();
      // Without a connection nothing can be published; it is opened again with the next one.
      if (this.room.state === ConnectionState.Connected) throw error;
    }
  }

  private state(): MicrophoneState {
    const publication = this.room.localParticipant.getTrackPublication(Track.Source.Microphone);
    if (publication === undefined) return "off";
    return publication.isMuted ? "muted" : "on";
  }

  private async hindered(use: () => Promise<void>): Promise<boolean> {
    try {
      await use();
      this.tell(this.state(), null);
      return true;
    } catch (error) {
      this.tell(this.state(), this.isClosed ? null : trouble(kindOf(error)));
      return false;
    }
  }
}

/** Browsers hide microphones from pages that came over plain http from another machine. */
function media(): MediaDevices {
  const devices = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
  if (devices === undefined) throw new InsecurePage();
  return devices;
}

async function isGranted(): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: "microphone" })).state === "granted";
  } catch {
    // Not every browser tells; then it is asked for the microphone itself.
    return false;
  }
}

class InsecurePage extends Error {
  override readonly name = "InsecurePage";
}

function kindOf(error: unknown): TroubleKind {
  if (error instanceof InsecurePage) return "microphone-insecure";
  switch (MediaDeviceFailure.getFailure(error)) {
    case MediaDeviceFailure.PermissionDenied:
      return "microphone-denied";
    case MediaDeviceFailure.NotFound:
      return "microphone-missing";
    case MediaDeviceFailure.DeviceInUse:
      return "microphone-busy";
    default:
      return "microphone-failed";
  }
}
