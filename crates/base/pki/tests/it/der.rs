//! DER by hand, for what no library writes.

/// An element with this value.
pub(crate) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..0x80 => vec![u8::try_from(short).unwrap()],
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            [vec![0x80 | u8::try_from(bytes.len()).unwrap()], bytes].concat()
        }
    };
    [&[tag], &length[..], body].concat()
}

/// An element around others.
pub(crate) fn nested(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

pub(crate) fn oid(body: &[u8]) -> Vec<u8> {
    element(0x06, body)
}

pub(crate) fn integer(value: u8) -> Vec<u8> {
    element(0x02, &[value])
}
