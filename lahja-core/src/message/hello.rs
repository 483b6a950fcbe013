//! How the two ends of a connection introduce themselves.

use super::header::{Header, put_text, put_varint};
use super::kind;
use crate::error::ProtocolError;
use crate::name::EndpointName;

/// The most groups that an endpoint may be a member of.
pub(crate) const MAX_GROUPS: usize = 32;

const MAGIC: &[u8; 5] = b"lahja";

/// How an endpoint introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) oldest_version: u8,
    pub(crate) newest_version: u8,
    pub(crate) features: u64,
    /// Tells one life of an endpoint from the next, and an endpoint from itself.
    pub(crate) nonce: u128,
    pub(crate) max_frame: u32,
    pub(crate) max_topics: u32,
    pub(crate) max_requests: u32,
    pub(crate) name: EndpointName,
    pub(crate) groups: Vec<EndpointName>,
}

impl Hello {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(kind::HELLO);
        out.extend_from_slice(MAGIC);
        out.extend([self.oldest_version, self.newest_version]);
        put_varint(out, self.features);
        out.extend(self.nonce.to_le_bytes());
        for limit in [self.max_frame, self.max_topics, self.max_requests] {
            put_varint(out, limit.into());
        }
        put_text(out, self.name.as_str());
        put_varint(out, self.groups.len() as u64);
        for group in &self.groups {
            put_text(out, group.as_str());
        }
    }

    pub(super) fn decode(header: &mut Header<'_>) -> Result<Self, ProtocolError> {
        if header.array()? != *MAGIC {
            return Err(ProtocolError::NotLahja);
        }
        let [oldest_version, newest_version] = header.array()?;
        let features = header.varint()?;
        let nonce = u128::from_le_bytes(header.array()?);
        let max_frame = header.varint_u32()?;
        let max_topics = header.varint_u32()?;
        let max_requests = header.varint_u32()?;
        let name = header.name()?;
        let count = header.varint()?;
        if count > MAX_GROUPS as u64 {
            return Err(ProtocolError::TooManyGroups { count });
        }
        let groups = (0..count).map(|_| header.name()).collect::<Result<_, _>>()?;
        Ok(Self {
            oldest_version,
            newest_version,
            features,
            nonce,
            max_frame,
            max_topics,
            max_requests,
            name,
            groups,
        })
    }
}
