// The browser's end of a call: an offer with everything in it (no trickling), the answer, and what has come of it.
// The page beside it uses it, and so do the tests, which judge a call by what report() counts.

class Phone {
  // media: "audio" or "audio,video"; policy: how streams share ports (RTCBundlePolicy).
  constructor({ media = "audio,video", policy = "max-compat", show = () => {} } = {}) {
    this.media = media.split(",");
    this.connection = new RTCPeerConnection({ bundlePolicy: policy });
    this.sinks = [];
    this.connection.ontrack = ({ track }) => {
      const sink = document.createElement(track.kind);
      // Without a sink that plays, a browser decodes nothing.
      Object.assign(sink, { srcObject: new MediaStream([track]), autoplay: true, playsInline: true });
      this.sinks.push(sink);
      show(sink);
      sink.play().catch(() => {});
    };
  }

  async capture() {
    const wanted = { audio: this.media.includes("audio") };
    if (this.media.includes("video")) wanted.video = { width: 320, height: 240, frameRate: 15 };
    this.captured = await navigator.mediaDevices.getUserMedia(wanted);
    for (const track of this.captured.getTracks()) this.connection.addTrack(track, this.captured);
  }

  async offer({ restart = false } = {}) {
    if (!this.captured) await this.capture();
    const offer = await this.connection.createOffer({ iceRestart: restart });
    await this.connection.setLocalDescription(offer);
    return this.gathered();
  }

  async answer(sdp) {
    await this.connection.setRemoteDescription({ type: "answer", sdp });
  }

  // The other way round: what we answer to an offer.
  async accept(sdp) {
    await this.connection.setRemoteDescription({ type: "offer", sdp });
    await this.capture();
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    return this.gathered();
  }

  async gathered() {
    const connection = this.connection;
    if (connection.iceGatheringState !== "complete") {
      await new Promise((done) => {
        connection.addEventListener("icegatheringstatechange", () => {
          if (connection.iceGatheringState === "complete") done();
        });
      });
    }
    return connection.localDescription.sdp;
  }

  // What was received, decoded and sent, and how it was protected.
  async report() {
    const report = {
      connection: this.connection.connectionState,
      ice: this.connection.iceConnectionState,
      audio_packets: 0, audio_lost: 0, audio_energy_millionths: 0,
      video_packets: 0, video_frames: 0, video_lost: 0,
      sent_audio: 0, sent_video: 0, heard_of_audio: 0, heard_of_video: 0,
      key_frames_asked: 0, transports: [],
    };
    for (const item of (await this.connection.getStats()).values()) {
      if (item.type === "inbound-rtp" && item.kind === "audio") {
        report.audio_packets += item.packetsReceived;
        report.audio_lost += item.packetsLost;
        report.audio_energy_millionths += Math.round((item.totalAudioEnergy || 0) * 1e6);
      } else if (item.type === "inbound-rtp" && item.kind === "video") {
        report.video_packets += item.packetsReceived;
        report.video_frames += item.framesDecoded || 0;
        report.video_lost += item.packetsLost;
      } else if (item.type === "outbound-rtp") {
        report[`sent_${item.kind}`] += item.packetsSent;
        report.key_frames_asked += item.pliCount || 0;
      } else if (item.type === "remote-inbound-rtp") {
        report[`heard_of_${item.kind}`] += 1;
      } else if (item.type === "transport") {
        const { dtlsState, dtlsRole, tlsVersion, dtlsCipher, srtpCipher, selectedCandidatePairChanges } = item;
        report.transports.push({ dtlsState, dtlsRole, tlsVersion, dtlsCipher, srtpCipher, selectedCandidatePairChanges });
      }
    }
    return report;
  }

  close() {
    this.connection.close();
    if (this.captured) for (const track of this.captured.getTracks()) track.stop();
    for (const sink of this.sinks) sink.remove();
  }
}
