//! The alternatives of a Local or Remote descriptor (H.248.1 sections 7.1.7 and 7.1.8).
//!
//! A descriptor may hold several groups of properties, each from its `v=` line, and in place of a value of `m=`, `c=` or `b=` several
//! values `{a,b}` (in the text encoding `\}` ends them); each combination is an [`Alternative`], the preferred one first. A stream has one
//! transport and one port, so alternatives can be reserved together only where they differ in nothing but what is passed untouched: formats
//! and attributes. ReserveGroup keeps those of all groups, ReserveValue those within a group and all formats of an `m=` line; without
//! them one is chosen, with one format. The gateway looks into no codec, so a format narrows nothing: transports, addresses and suites do.

use super::media::{self, Terms, unsupported};
use super::stream::Rules;
use crate::ast::ErrorDescriptor;
use crate::errors::ErrorCode;
use crate::sdp::{Group, Line, Media, Sdp, SdpText};
use crate::secret::redact;
use agw_core::model::{PreSharedKey, Transport};
use zeroize::Zeroizing;

/// The most alternatives of one descriptor, combinations of values included.
pub(super) const MAX_ALTERNATIVES: usize = 16;

/// One alternative that could be read.
#[derive(Debug)]
pub(super) struct Alternative {
    /// Which group it was written in.
    origin: usize,
    pub(super) group: Group,
    pub(super) terms: Terms,
}

/// What a Local or Remote of a command says.
#[derive(Debug)]
pub(super) enum Described {
    Omitted,
    TakenAway,
    Offered(Offered),
}

/// The alternatives of one descriptor.
#[derive(Debug)]
pub(super) struct Offered {
    /// Those that could be read, the preferred one first.
    alternatives: Vec<Alternative>,
    /// How many there were.
    count: usize,
    /// Why the first of the others could not be read.
    refused: Option<ErrorDescriptor>,
}

/// What is made of a descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pick<'a> {
    Omitted,
    TakenAway,
    Given(&'a Alternative),
}

impl Pick<'_> {
    /// The pre-shared key of TLS that it brings.
    pub(super) fn psk(&self) -> Option<&PreSharedKey> {
        match self {
            Pick::Given(alternative) => alternative.terms.psk(),
            Pick::Omitted | Pick::TakenAway => None,
        }
    }
}

/// Which of a descriptor's alternatives are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The descriptor says nothing of alternatives.
    AsSaid,
    One(usize),
    /// None can be done: an empty descriptor is answered.
    Nothing,
}

/// What is to be reserved of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reserve {
    pub(super) groups: bool,
    pub(super) values: bool,
}

impl Reserve {
    fn is_on(self) -> bool {
        self.groups || self.values
    }
}

impl Described {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// 474 for what is no SDP, 449 for too many alternatives and for keys where none may come (IQ-3).
    pub(super) fn read(text: Option<&SdpText>, rules: &Rules<'_>) -> Result<Self, ErrorDescriptor> {
        let Some(text) = text else { return Ok(Self::Omitted) };
        if text.is_empty() {
            return Ok(Self::TakenAway);
        }
        let mut offered = Offered { alternatives: Vec::new(), count: 0, refused: None };
        for (origin, group) in groups(text)? {
            offered.count += 1;
            if offered.count > MAX_ALTERNATIVES {
                return Err(unsupported(format!("more than {MAX_ALTERNATIVES} alternatives")));
            }
            match media::terms(&group) {
                Ok(terms) if terms.is_keyed() && !rules.keys_allowed => {
                    // IQ-3
                    return Err(unsupported(
                        "a=crypto: keys are refused because Iq is not protected (iq.protected_by = none)",
                    ));
                }
                Ok(terms) => offered.alternatives.push(Alternative { origin, group, terms }),
                Err(error) => {
                    offered.refused.get_or_insert(error);
                }
            }
        }
        Ok(Self::Offered(offered))
    }

    /// Whether there is more than one alternative to choose from.
    pub(super) fn is_overspecified(&self) -> bool {
        matches!(self, Self::Offered(offered) if offered.count > 1)
    }

    /// The alternative that is most wanted, of those that could be read.
    pub(super) fn first(&self) -> Option<&Alternative> {
        match self {
            Self::Offered(offered) => offered.alternatives.first(),
            Self::Omitted | Self::TakenAway => None,
        }
    }

    /// Why one alternative could not be read.
    pub(super) fn refused(&self) -> Option<&ErrorDescriptor> {
        match self {
            Self::Offered(offered) => offered.refused.as_ref(),
            Self::Omitted | Self::TakenAway => None,
        }
    }

    fn choices(&self) -> Vec<Choice> {
        match self {
            Self::Offered(offered) => (0..offered.alternatives.len()).map(Choice::One).collect(),
            Self::Omitted | Self::TakenAway => vec![Choice::AsSaid],
        }
    }

    pub(super) fn pick(&self, choice: Choice) -> Pick<'_> {
        match (self, choice) {
            (Self::Offered(offered), Choice::One(at)) => {
                offered.alternatives.get(at).map_or(Pick::TakenAway, Pick::Given)
            }
            (Self::Omitted, _) => Pick::Omitted,
            (Self::TakenAway | Self::Offered(_), _) => Pick::TakenAway,
        }
    }

    /// The groups that are reserved when this choice is made, and whether that has to be said: the descriptor left it to us.
    pub(super) fn reserved(self, choice: Choice, reserve: Reserve) -> (Vec<Group>, bool) {
        let (Self::Offered(offered), Choice::One(chosen)) = (self, choice) else {
            return (Vec::new(), false);
        };
        let several = offered.count > 1;
        let kept: Vec<bool> = {
            let best = &offered.alternatives[chosen];
            let mut groups_kept = vec![best.origin];
            let keep = |(at, other): (usize, &Alternative)| {
                if at == chosen {
                    return true;
                }
                let same_group = groups_kept.contains(&other.origin);
                let wanted = if same_group { reserve.values } else { reserve.groups };
                let kept = at > chosen && wanted && goes_along(&best.terms, &other.terms);
                if kept && !same_group {
                    groups_kept.push(other.origin);
                }
                kept
            };
            offered.alternatives.iter().enumerate().map(keep).collect()
        };
        let mut formats_left_to_us = false;
        let mut groups = Vec::new();
        for (Alternative { mut group, .. }, _) in
            offered.alternatives.into_iter().zip(kept).filter(|(_, kept)| *kept)
        {
            if let Some(media) = group.media.first_mut().filter(|media| media.formats.len() > 1) {
                formats_left_to_us = true;
                if !reserve.values {
                    keep_first_format(media);
                }
            }
            groups.push(group);
        }
        (groups, several || formats_left_to_us)
    }
}

/// The pairs of alternatives to try, the preferred one first: the first in Local for which one in Remote can be done (H.248.1 section
/// 7.1.8). Where alternatives are to be reserved and none can be, the descriptor is emptied.
pub(super) fn pairs(local: &Described, remote: &Described, reserve: Reserve) -> Vec<(Choice, Choice)> {
    let (locals, remotes) = (local.choices(), remote.choices());
    let both = locals.iter().flat_map(|local| remotes.iter().map(|remote| (*local, *remote)));
    let mut pairs: Vec<_> = both.collect();
    if reserve.is_on() && remote.is_overspecified() {
        pairs.extend(locals.iter().map(|local| (*local, Choice::Nothing)));
    }
    if reserve.is_on() && local.is_overspecified() {
        let without = if remote.first().is_some() || remote.refused().is_some() {
            Choice::Nothing
        } else {
            Choice::AsSaid
        };
        pairs.push((Choice::Nothing, without));
    }
    pairs
}

/// Whether what is reserved for one serves the other too: one port, one treatment, one peer, one rate.
fn goes_along(one: &Terms, other: &Terms) -> bool {
    let treated_alike = match (one.transport, other.transport) {
        (Transport::Rtp { secure, .. }, Transport::Rtp { secure: other, .. }) => secure == other,
        (Transport::DtlsRtp { .. }, Transport::DtlsRtp { .. }) => true,
        (one, other) => one == other,
    };
    treated_alike
        && one.family == other.family
        && one.address == other.address
        && one.port == other.port
        && one.mux == other.mux
        && one.rtcp == other.rtcp
        && one.crypto == other.crypto
        && one.connection == other.connection
        && one.ice == other.ice
        && one.bandwidths.covers(other.bandwidths)
}

/// Leaves the first format of a media line, and of the attributes those that are not of another.
fn keep_first_format(media: &mut Media) {
    let dropped = media.formats.split_off(1);
    media.lines.retain(|line| {
        let Line::Attribute(attribute) = line else { return true };
        let of_format = ["rtpmap", "fmtp", "rtcp-fb"].contains(&attribute.name());
        let format = attribute.value().and_then(|value| value.split(' ').next());
        !(of_format && format.is_some_and(|format| dropped.iter().any(|dropped| dropped == format)))
    });
}

/// Every alternative with the number of the group that it was written in.
fn groups(text: &SdpText) -> Result<Vec<(usize, Group)>, ErrorDescriptor> {
    let parse = |text: &str| Sdp::parse(text).map_err(|error| ErrorDescriptor::from(&error));
    if !text.lines().any(has_list) {
        return Ok(parse(text.as_str())?.groups.into_iter().enumerate().collect());
    }
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("v=")).collect();
    if starts.first() != Some(&0) {
        // Says what is wrong with the first line.
        return Ok(parse(text.as_str())?.groups.into_iter().enumerate().collect());
    }
    let mut found = Vec::new();
    for (origin, start) in starts.iter().enumerate() {
        let end = starts.get(origin + 1).copied().unwrap_or(lines.len());
        for variant in variants(&lines[*start..end], found.len())? {
            // Empty lines in place of what stands before, so that errors count lines as they were written.
            let placed = Zeroizing::new(format!("{}{}", "\n".repeat(*start), variant.as_str()));
            found.extend(parse(&placed)?.groups.into_iter().map(|group| (origin, group)));
        }
    }
    Ok(found)
}

/// Whether a line has a list of values. Attributes and session lines are text in which braces may mean anything.
fn has_list(line: &str) -> bool {
    ["m=", "c=", "b="].iter().any(|kind| line.starts_with(kind)) && line.contains('{')
}

/// All combinations of the listed values of a group, the first value of the first list first.
fn variants(lines: &[&str], before: usize) -> Result<Vec<Zeroizing<String>>, ErrorDescriptor> {
    let mut variants = vec![Zeroizing::new(String::new())];
    for line in lines {
        let mut forms = vec![(*line).to_owned()];
        while has_list(&forms[0]) {
            let mut expanded = Vec::new();
            for form in &forms {
                expanded.extend(values(form)?);
            }
            if expanded.len() + before > MAX_ALTERNATIVES {
                return Err(unsupported(format!("more than {MAX_ALTERNATIVES} alternatives")));
            }
            forms = expanded;
        }
        if (variants.len() * forms.len()).saturating_add(before) > MAX_ALTERNATIVES {
            return Err(unsupported(format!("more than {MAX_ALTERNATIVES} alternatives")));
        }
        let combined = variants.iter().flat_map(|variant| {
            forms.iter().map(move |form| Zeroizing::new(format!("{}{form}\n", variant.as_str())))
        });
        variants = combined.collect();
    }
    Ok(variants)
}

/// A line with each value of its first list in its place.
fn values(line: &str) -> Result<Vec<String>, ErrorDescriptor> {
    let parts = line.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    let wrong =
        || ErrorDescriptor::with_text(ErrorCode::INVALID_SDP, redact(&format!("list of values: {line}")));
    let (head, (list, tail)) = parts.ok_or_else(wrong)?;
    let listed: Vec<&str> = list.split(',').map(str::trim).collect();
    if listed.iter().any(|value| value.is_empty() || value.contains('{')) {
        return Err(wrong());
    }
    Ok(listed.iter().map(|value| format!("{head}{value}{tail}")).collect())
}
