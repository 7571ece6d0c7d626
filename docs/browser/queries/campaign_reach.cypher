// Reach of a campaign: whom it was given to, and who used a coupon (set :param campaign_id)
MATCH sent = (user:User)-[:TARGETED_BY]->(campaign:Campaign {campaign_id: $campaign_id})
OPTIONAL MATCH used = (user)-[:REDEEMED]->(:Coupon)<-[:OFFERS]-(campaign)
RETURN sent, used
ORDER BY used IS NULL
LIMIT 40
