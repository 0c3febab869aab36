//! What every issuer and every store must do
